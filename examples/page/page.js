// SPDX-License-Identifier: MIT
// The page: takes files and text, lets a worker read them, and shows the JSON of `fsgscheck explain --json`. Everything
// that it shows is added to the page as text, never as HTML, because a log may contain anything.
'use strict';

const byId = id => document.getElementById(id);

// Characters that control a terminal, reorder text or are invisible. text_filter() of the reader replaces the same
// characters, and tabs.
const HIDDEN = /[\0-\x08\x0a-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;

// element('p', {class: 'small'}, 'text', element('b', {}, 'bold'))
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (value !== null)
      made.setAttribute(key, value);
  made.append(...children.filter(child => child !== null));
  return made;
}

// -- Data that is inside the page

async function unpack(id) {
  const packed = Uint8Array.from(atob(byId(id).textContent), character => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function save(bytes, name, type) {
  const url = URL.createObjectURL(new Blob([bytes], {type}));
  const link = element('a', {href: url, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

async function saveImage() {
  save(await unpack('data-image'), 'fsgscheck-boot.iso', 'application/x-cd-image');
  say('fsgscheck-boot.iso is saved.');
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Some browsers do not allow access to the clipboard from a page that was opened from a file.
    const area = element('textarea', {'aria-hidden': 'true'});
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (!done)
      throw new Error('The browser does not let this page copy: mark the command and copy it yourself.');
  }
}

function copyButton(text) {
  const label = 'Copy';
  const button = element('button', {type: 'button', class: 'copy', 'aria-label': `Copy: ${text}`}, label);
  button.addEventListener('click', async () => {
    try {
      await copy(text);
    } catch (error) {
      fail(error.message);
      return;
    }
    button.textContent = 'Copied';
    say('Copied.');
    button.focus();
    setTimeout(() => button.textContent = label, 2000);
  });
  return button;
}

// Keeps a line from being broken after the hyphen of an option.
function unbroken(text) {
  return text.split(/(?<=\s)(-\S+)/).map((part, i) => i % 2 ? element('span', {class: 'whole'}, part) : part);
}

function command(text) {
  return element('div', {class: 'command'}, element('code', {}, ...unbroken(text)), copyButton(text));
}

// -- Reading

let worker = null, reader = null, read = [];

function say(text) {
  byId('status').textContent = text;
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function stop() {
  if (worker)
    worker.terminate();
  worker = null;
  byId('work').hidden = true;
}

const LONGEST_NAME = 80;  // bytes; the reader stores at most 95

// The name under which the reader returns a file. Leaves out the middle of a long name.
function plain(name) {
  const encoder = new TextEncoder();
  const letters = [...new TextDecoder().decode(encoder.encode(name)).replace(/\t/g, '?').replace(HIDDEN, '?')];
  let short = letters.join('');
  for (let kept = Math.floor(letters.length / 2); encoder.encode(short).length > LONGEST_NAME; kept--)
    short = `${letters.slice(0, kept).join('')}…${letters.slice(letters.length - kept).join('')}`;
  return short;
}

// Gives files with the same name different names. The names are stored beside the File objects, because a new File made
// from a file that no longer exists would be empty.
function named(files) {
  const taken = new Set();
  return files.map(file => {
    const first = plain(file.name);
    let name = first;
    for (let count = 2; taken.has(name); count++)
      name = `${first} (${count})`;
    taken.add(name);
    return {file, name};
  });
}

async function start(files) {
  stop();
  if (!files.length)
    return;
  read = named(files);
  byId('answer').hidden = true;
  byId('progress').value = 0;
  byId('so-far').textContent = '';
  byId('work').hidden = false;
  say(`Reading ${read.length === 1 ? read[0].name : `${read.length} files`}.`);
  const url = URL.createObjectURL(new Blob([byId('data-worker').textContent], {type: 'text/javascript'}));
  worker = new Worker(url);
  URL.revokeObjectURL(url);
  const mine = worker;
  worker.onmessage = ({data}) => {
    if (mine !== worker)
      return;
    if ('total' in data) {
      byId('progress').value = data.total ? data.done / data.total : 1;
      byId('so-far').textContent = `${size(data.done)} of ${size(data.total)} read `;
      return;
    }
    stop();
    try {
      if (data.error)
        throw new Error(data.error);
      // If no file could be read, there is no answer.
      if (data.unread.length === read.length)
        throw new Error(data.unread.map(unreadable).join(' '));
      show(data);
    } catch (error) {
      fail(error.message);
    }
  };
  worker.onerror = event => {
    stop();
    fail(event.message);
  };
  reader = reader || await unpack('data-reader');
  if (mine === worker)
    worker.postMessage({reader, files: read});
}

function unreadable(name) {
  return `${name} could not be read. If it is a folder, choose the files in it; ` +
    'if it is still being written, choose a copy.';
}

function fail(message) {
  say('');
  byId('status').append(element('span', {class: 'trouble'}, message));
}

// -- Showing

// The tone of each verdict, worst verdict first: fleet() sorts by this order.
const TONES = {broken: 'bad', inconsistent: 'bad', unadvertised: 'bad', unknown: 'open', disabled: 'warn', unsupported: 'warn',
               usable: 'good'};
const ABREAST = 4;  // machines that fit side by side

function count(number, one, many = one + 's') {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`;
}

let titles = 0;

function titled(title, ...children) {
  const id = `title-${++titles}`;
  return element('section', {'aria-labelledby': id}, element('h3', {id}, title), ...children);
}

function list(name, items) {
  return element('ul', {class: name}, ...items.map(item => element('li', {}, ...[item].flat())));
}

function verdictWord(verdict) {
  return element('span', {class: `verdict-word ${TONES[verdict] || 'open'}`}, verdict);
}

function facts(pairs) {
  return element('dl', {class: 'facts'}, ...pairs.filter(([, value]) => value)
    .flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));
}

function headline(verdict, fault) {
  return `FSGSBASE: ${verdict}, ${fault}`;
}

function imageButton() {
  return element('p', {class: 'buttons'}, element('button', {type: 'button', class: 'save-image'}, 'Save the boot image'));
}

// The steps of the advice. A step may begin with the side that has to act, followed by a colon. Lines that begin with
// blanks are the commands of a step.
function steps(advice, title) {
  const items = [];
  for (const line of advice ? advice.split('\n') : []) {
    if (/^\s/.test(line) && items.length) {
      items.at(-1).append(command(line.trim()));
      continue;
    }
    const [, side, rest] = /^(?:([A-Z][a-z]+): )?([^]*)$/.exec(line);
    items.push(element('li', {}, side ? element('span', {class: 'side'}, side) : null,
                       element('span', {class: 'said'}, ...unbroken(rest)), rest.includes('boot image') ? imageButton() : null));
  }
  return items.length ? titled(title, element('ol', {class: 'steps'}, ...items)) : null;
}

// The bytes of the instruction: its prefixes, an opcode of two bytes, and a byte that names the register. Empty if
// the log has no bytes, as in a disassembly.
function instructionBytes(code) {
  const bytes = code ? code.split(' ') : [];
  return bytes.slice(0, bytes.indexOf('0f') + 3).join(' ');
}

function bits(source) {
  const items = source.cr4_bits.map(name => element('li', {class: name === 'FSGSBASE' ? 'matters' : null},
                                                    name === 'FSGSBASE' ? 'FSGSBASE (bit 16)' : name));
  if (!source.cr4_bits.includes('FSGSBASE'))
    items.push(element('li', {class: 'matters'}, 'FSGSBASE (bit 16) is clear'));
  return element('ul', {class: 'bits', 'aria-label': 'Bits that are set in CR4'}, ...items);
}

// Splits a line of the log at the important words, and marks these words.
function marked(text, words) {
  const parts = [];
  for (;;) {
    const hits = words.map(word => [text.indexOf(word), word]).filter(([at]) => at >= 0);
    if (!hits.length)
      return [...parts, text];
    const [at, word] = hits.reduce((a, b) => a[0] <= b[0] ? a : b);
    parts.push(text.slice(0, at), element('mark', {}, word));
    text = text.slice(at + word.length);
  }
}

const SHOWN = 400;  // characters of a line

// The important part of a long line: a whole log may be one string of JSON.
function shortened(text, words) {
  const at = Math.max(0, ...words.map(word => text.indexOf(word)).filter(at => at >= 0).slice(0, 1));
  const from = at < SHOWN ? 0 : at - SHOWN / 2;
  return (from ? '… ' : '') + text.slice(from, from + SHOWN) + (from + SHOWN < text.length ? ' …' : '');
}

function excerpt(source, lines) {
  const numbers = Object.keys(lines).map(Number).sort((a, b) => a - b);
  const proof = new Set(Object.values(source.lines));
  const words = [];
  if (!numbers.length)
    return null;
  if (source.code) {
    const code = instructionBytes(source.code);
    for (const [left, right] of ['<>', ['&lt;', '&gt;']])
      words.push(`${left}${code.slice(0, 2)}${right}${code.slice(2)}`);
  }
  if (source.cr4)
    words.push(source.cr4.slice(2).padStart(16, '0'));
  words.push('invalid opcode', 'general protection fault');
  const items = [];
  numbers.forEach((number, i) => {
    const text = shortened(lines[number].replace(HIDDEN, '·'), words);
    if (i && number > numbers[i - 1] + 1)
      items.push(element('li', {class: 'gap'}, element('span', {class: 'number'}, '⋮'), element('span', {})));
    items.push(element('li', {class: proof.has(number) ? 'proof' : null},
                       element('span', {class: 'number'}, String(number)),
                       element('span', {}, ...(proof.has(number) ? marked(text, words) : [text]))));
  });
  return element('ol', {class: 'log', 'aria-label': `Lines of ${source.name}`}, ...items);
}

function place(source) {
  const times = source.count > 1 ? `, ${source.count} times` : '';
  return `${source.name}, line ${source.line}: ${source.kind_text}${times}`;
}

function where({symbol, cpu}) {
  const on = cpu === undefined ? '' : `${symbol ? ' ' : ''}on CPU ${cpu}`;
  return symbol || on ? element('span', {}, symbol ? element('code', {}, symbol) : '', on) : null;
}

function findings({findings, finding_texts}) {
  return findings.length ? list('findings', findings.map((name, i) => [element('b', {}, name), `: ${finding_texts[i]}`])) : null;
}

function hypervisor({hypervisor: name, hypervisor_build: build}) {
  return [name, build && `build ${build}`].filter(Boolean).join(', ');
}

// The facts about one crash, boot or machine.
function evidence(source, lines) {
  const instruction = source.instruction && element('span', {}, element('b', {}, source.instruction), ' ',
                                                    source.code ? element('code', {}, instructionBytes(source.code)) : '');
  return [
    facts([['Instruction', instruction], ['Bytes', !instruction && source.code && element('code', {}, source.code)],
           ['Where (RIP)', where(source)],
           ['CR4', source.cr4 && element('span', {}, element('code', {}, source.cr4), bits(source))],
           ['Processor', source.brand || source.vendor], ['Hypervisor', hypervisor(source)],
           ['Kernel', source.kernel && `Linux ${source.kernel}`], ['Microcode', source.microcode],
           ['Ran for', source.uptime && uptime(source.uptime)],
           ['cpuinfo flag', 'cpuinfo_flag' in source ? (source.cpuinfo_flag ? 'yes' : 'no') : null],
           ['Misspelt', source.misspelt && element('code', {}, source.misspelt)]]),
    lines && excerpt(source, lines),
    findings(source),
    source.notes.length ? list('notes', source.notes) : null,
  ];
}

function uptime(seconds) {
  const days = Math.floor(seconds / 86400), hours = Math.floor(seconds / 3600) % 24;
  return days ? `${count(days, 'day')}, ${count(hours, 'hour')}` : `${hours}:${String(Math.floor(seconds / 60) % 60).padStart(2, '0')} hours`;
}

// The card of one source. It has a verdict and a reason only if there are several sources. It has advice only if the
// advice differs from that at the top.
function card(source, lines, answer) {
  const other = answer.explain.sources.length > 1;
  const made = titled(place(source), ...evidence(source, lines));
  made.classList.add('card');
  if (other)
    made.firstChild.after(element('p', {}, verdictWord(source.verdict), source.fault ? `, ${source.fault}. ${source.reason}` : ''));
  if (source.advice && source.advice !== answer.advice)
    made.append(steps(source.advice, `What to do for ${source.name}, line ${source.line}`) || '');
  return made;
}

// Makes a table scroll if it is wider than the window.
function scrolling(name, table) {
  return element('div', {class: 'wide', tabindex: '0', role: 'region', 'aria-label': name}, table);
}

function sideBySide({table, lessons, sources}) {
  const machines = sources.slice(-table[0].cells.length);
  const row = ({title, cells}) => {
    const differs = cells.some(cell => cell !== cells[0]);
    return element('tr', {class: differs ? 'differs' : null},
                   element('th', {scope: 'row'}, title + (differs ? ' *' : '')),
                   ...cells.map(cell => element('td', {}, cell in TONES ? verdictWord(cell) : cell || '')));
  };
  return titled('Side by side', scrolling('Machines side by side', element('table', {class: 'beside'},
    element('thead', {}, element('tr', {}, element('td', {}), ...machines.map(({name}) => element('th', {scope: 'col'}, name)))),
    element('tbody', {}, ...table.filter(({cells}) => cells.some(Boolean)).map(row)))),
    element('p', {}, 'What the differences (*) prove, and what they do not prove:'), list('lessons', lessons));
}

// A table of the hosts that differ from most hosts. fleet() has sorted the groups, worst verdict first, and the names in
// each group.
function oddHosts(groups) {
  return element('table', {class: 'fleet'}, element('caption', {}, 'Hosts that differ from most'),
    element('thead', {}, element('tr', {}, ...['Host', 'Verdict', 'Whose fault'].map(name => element('th', {scope: 'col'}, name)))),
    element('tbody', {}, ...groups.flatMap(({hosts, verdict, fault}) => (hosts || []).map(host =>
      element('tr', {}, element('th', {scope: 'row'}, host), element('td', {}, verdictWord(verdict)), element('td', {}, fault))))));
}

// One group of machines with the same verdict and findings.
function group(found) {
  const {usual, hosts, verdict, fault, reason, advice} = found;
  const names = usual ? 'most' : hosts.slice(0, 3).join(', ') + (hosts.length > 3 ? ` and ${hosts.length - 3} more` : '');
  const made = titled(`${count(found.count, 'machine')} (${names}): ${verdict}, ${fault}`, element('p', {}, reason),
                      findings(found) || '', steps(advice, `What to do for ${names}, cheapest first`) || '');
  made.classList.add('card');
  return made;
}

function fleet(explain) {
  const counts = Object.entries(explain.verdicts).filter(([, number]) => number).sort((a, b) => b[1] - a[1]);
  const order = Object.keys(TONES), names = new Intl.Collator('en', {numeric: true});
  const groups = explain.groups.map(found => ({...found, hosts: found.hosts && [...found.hosts].sort(names.compare)}))
    .sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict) || b.count - a.count);
  return [titled(count(explain.machines, 'machine'),
                 list('counts', counts.map(([verdict, number]) => [verdictWord(verdict), ` ${number.toLocaleString('en')}`])),
                 groups.length > 1 ? scrolling('Hosts that differ from most', oddHosts(groups)) : ''),
          ...groups.filter(({usual, verdict}) => !usual || ['bad', 'open'].includes(TONES[verdict])).map(group)];
}

// Lists what the answer leaves out: crashes with another cause, crashes with too little data, further results, and files
// that are packed, have no evidence or could not be read. Adds the hint, if there is one.
function rest(explain, unread) {
  const items = [];
  for (const name of unread)
    items.push([element('span', {class: 'trouble'}, unreadable(name))]);
  if (explain.other_crashes)
    items.push([`${count(explain.other_crashes, 'crash', 'crashes')} with another cause.`]);
  if (explain.unread_crashes)
    items.push([`${count(explain.unread_crashes, 'crash', 'crashes')} that could not be read, the first at line ${explain.unread_line}. ` +
                explain.unread_text]);
  for (const {name, is, command: unpack} of explain.packed)
    items.push(unpack ? [`${name} is ${is}. This page does not unpack it: choose the text that is in it, or run on Linux:`,
                         command(unpack)] : `${name} is ${is}.`);
  if (explain.hint) {
    const {line, name, text, command: next} = explain.hint;
    items.push([`Line ${line}${name ? `, ${name}` : ''}: ${text}`, command(next)]);
  }
  if (explain.more)
    items.push([count(explain.more, 'more result that differs from these is', 'more results that differ from these are') +
                ' not shown.']);
  if (explain.evidence && explain.without_evidence.length)
    items.push([`${explain.without_evidence.length.toLocaleString('en')} of ${count(explain.files, 'file')} without evidence of FSGSBASE:`,
                list('names', explain.without_evidence)]);
  return items.length ? list('rest', items) : null;
}

// Says what to do if the files show nothing. Such files do not prove that the machine works.
function nothing() {
  return titled('Nothing here shows whether FSGSBASE is the cause',
                element('p', {}, 'If a machine dies at boot, give this page the lines of its crash: “invalid opcode”, RIP:, ' +
                        'Code: and CR4:. A log from the disk of the machine often ends before them; its serial console ' +
                        'shows them.'),
                element('p', {}, 'If there are no such lines, let the boot image test the machine:'), imageButton());
}

function readFiles(explain) {
  return `${count(explain.lines, 'line')} of ${read.length === 1 ? read[0].name : count(explain.files, 'file')} read.`;
}

// Names the source or the group that the answer is about, if there are several.
function worstPlace({explain, verdict, advice}) {
  const found = [...explain.sources, ...explain.groups].find(one => one.verdict === verdict && one.advice === advice);
  if (!found || explain.sources.length + explain.machines < 2 || !explain.evidence)
    return null;
  return element('p', {class: 'where'}, explain.machines > ABREAST && explain.groups.includes(found)
    ? `${found.count.toLocaleString('en')} of ${count(explain.machines, 'machine')}` : `In ${place(found)}`);
}

function show({answer, lines, unread}) {
  const {explain} = answer;
  const title = explain.evidence ? headline(answer.verdict, explain.fault) : 'No evidence of FSGSBASE here';
  const inside = element('div', {class: 'inside'});
  const isFleet = explain.machines > ABREAST;
  // In a fleet, the last ABREAST sources are machines. They get no cards, because fleet() shows machines in groups.
  const shown = isFleet ? explain.sources.slice(0, -ABREAST) : explain.sources;
  const differ = shown.some(({advice}) => advice !== answer.advice);
  byId('answer').replaceChildren(
    element('div', {class: `verdict ${explain.evidence ? TONES[answer.verdict] || 'open' : 'open'}`},
            element('h2', {id: 'answer-title', tabindex: '-1'}, title),
            element('p', {class: 'reason'}, explain.evidence ? answer.reason : readFiles(explain)),
            worstPlace(answer) || ''),
    inside);
  if (explain.evidence && !(isFleet && explain.groups.some(({advice}) => advice === answer.advice)))
    inside.append(steps(answer.advice, `What to do${differ ? ' there' : ''}, cheapest first`) || '');
  inside.append(rest(explain, unread) || '');
  if (!explain.evidence)
    inside.append(nothing());
  if (explain.table.length)
    inside.append(sideBySide(explain));
  shown.forEach((source, i) => inside.append(card(source, lines[i], answer)));
  if (isFleet)
    inside.append(...fleet(explain));
  const json = JSON.stringify(answer, null, 2);
  const print = element('button', {type: 'button'}, 'Print for the ticket');
  print.addEventListener('click', () => window.print());
  const again = element('button', {type: 'button'}, 'Add files to compare');
  again.addEventListener('click', () => choose(true));
  inside.append(element('p', {class: 'buttons'}, print, again),
                element('details', {}, element('summary', {}, 'The same as JSON'), element('pre', {class: 'json', tabindex: '0'}, json)));
  byId('answer').hidden = false;
  const done = `${title}. ${readFiles(explain)}`;
  say(unread.length ? `${done} ${unread.map(unreadable).join(' ')}` : done);
  byId('answer-title').focus();
}

// -- Taking files and text

const FIELD = 1 << 20;  // characters; a browser takes seconds to lay out more of them in the field

let adding = false;

function choose(more) {
  adding = more;
  byId('files').value = '';
  byId('files').click();
}

if (self.WebAssembly && self.DecompressionStream && self.Worker)
  byId('unable').remove();
for (const pre of document.querySelectorAll('pre.command'))
  pre.replaceWith(command(pre.textContent));
byId('choose').addEventListener('click', () => choose(false));
byId('files').addEventListener('change', ({target}) => start([...adding ? read.map(({file}) => file) : [], ...target.files]));
byId('cancel').addEventListener('click', () => {
  stop();
  say('Cancelled.');
  byId('choose').focus();
});
byId('try').addEventListener('click', async () => start([new File([await unpack('data-story')], 'story.log')]));
byId('paste').addEventListener('submit', event => {
  event.preventDefault();
  const text = byId('text').value;
  if (text.trim())
    start([new File([text], 'pasted text')]);
  else
    fail('There is no text yet: paste it first.');
});
document.addEventListener('click', event => {
  if (event.target.closest('.save-image'))
    saveImage();
});
document.addEventListener('paste', event => {
  const text = event.clipboardData.getData('text');
  if (event.clipboardData.files.length) {
    event.preventDefault();
    start([...event.clipboardData.files]);
  } else if (text.trim() && (event.target !== byId('text') || text.length > FIELD)) {
    event.preventDefault();
    byId('text').value = text.length > FIELD ? '' : text;
    start([new File([text], 'pasted text')]);
  }
});
document.addEventListener('dragover', event => {
  event.preventDefault();
  document.body.classList.add('dropping');
});
for (const end of ['dragleave', 'drop'])
  document.addEventListener(end, () => document.body.classList.remove('dropping'));
document.addEventListener('drop', event => {
  event.preventDefault();
  const text = event.dataTransfer.getData('text');
  if (event.dataTransfer.files.length)
    start([...event.dataTransfer.files]);
  else if (text)
    start([new File([text], 'dropped text')]);
  else
    fail('What you dropped is neither a file nor text.');
});
