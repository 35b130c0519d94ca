// SPDX-License-Identifier: MIT
// The page: takes files and text, has a worker read them, and shows the JSON of `fsgscheck explain --json`. Whatever is
// shown goes into the page as text, never as HTML: a log may hold anything.
'use strict';

const byId = id => document.getElementById(id);

// element('p', {class: 'small'}, 'text', element('b', {}, 'bold'))
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (value !== null)
      made.setAttribute(key, value);
  made.append(...children.filter(child => child !== null));
  return made;
}

// -- What the page carries

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
    // Older browsers forbid it to a file.
    const area = element('textarea', {'aria-hidden': 'true'});
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
}

function copyButton(text, label) {
  const button = element('button', {type: 'button', class: 'copy'}, label);
  button.addEventListener('click', async () => {
    await copy(text);
    button.textContent = 'Copied';
    say('Copied.');
    button.focus();
    setTimeout(() => button.textContent = label, 2000);
  });
  return button;
}

function command(text) {
  return element('div', {class: 'command'}, element('code', {}, text), copyButton(text, 'Copy'));
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

// Two files of one name are told apart.
function named(files) {
  const seen = new Map();
  return files.map(file => {
    const count = (seen.get(file.name) || 0) + 1;
    seen.set(file.name, count);
    return count === 1 ? file : new File([file], `${file.name} (${count})`);
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
      show(data.answer, data.lines);
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

function fail(message) {
  say('');
  byId('status').append(element('span', {class: 'trouble'}, message));
}

// -- Showing

const TONES = {usable: 'good', unsupported: 'warn', disabled: 'warn', unadvertised: 'bad', broken: 'bad',
               inconsistent: 'bad', unknown: 'open'};
const KINDS = {crash: 'a crash in a kernel log', log: 'a kernel log', cpuinfo: 'a dump of /proc/cpuinfo',
               report: 'a report of fsgscheck', image: 'the output of the boot image'};
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

function headline({verdict, fault}) {
  return `FSGSBASE: ${verdict}${fault ? `, ${fault}` : ''}`;
}

function imageButton() {
  return element('p', {class: 'buttons'}, element('button', {type: 'button', class: 'save-image'}, 'Save the boot image'));
}

// A step: the side that has to act, what it has to do, and its commands, which are the lines that begin with blanks.
function steps(advice, title) {
  const items = [];
  for (const line of advice ? advice.split('\n') : []) {
    if (/^\s/.test(line) && items.length) {
      items.at(-1).append(command(line.trim()));
      continue;
    }
    const [, side, rest] = /^(?:([A-Z][a-z]+): )?([^]*)$/.exec(line);
    items.push(element('li', {}, side ? element('span', {class: 'side'}, side) : null,
                       element('span', {class: 'said'}, rest), rest.includes('boot image') ? imageButton() : null));
  }
  return items.length ? titled(title, element('ol', {class: 'steps'}, ...items)) : null;
}

// The bytes of the instruction: its prefixes, an opcode of two bytes, and one that names the register. A disassembly
// names it without bytes.
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

// A line of the log, with the words that matter in it marked.
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

// What steers a terminal, or turns the direction of writing, is shown as a dot.
function harmless(text) {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, '·');
}

const SHOWN = 400;  // characters of a line

// Of a long line the part that matters: a whole log may be one string of JSON.
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
    const text = shortened(harmless(lines[number]), words);
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
  return `${source.name}, line ${source.line}: ${KINDS[source.kind]}${times}`;
}

// What is known of one crash, boot or machine.
function evidence(source, lines) {
  const instruction = source.instruction && element('span', {}, element('b', {}, source.instruction), ' ',
                                                    source.code ? element('code', {}, instructionBytes(source.code)) : '');
  return [
    facts([['Instruction', instruction], ['Bytes', !instruction && source.code && element('code', {}, source.code)],
           ['Where', source.symbol && element('code', {}, source.symbol)],
           ['CR4', source.cr4 && element('span', {}, element('code', {}, source.cr4), bits(source))],
           ['Processor', source.brand || source.vendor], ['Hypervisor', source.hypervisor],
           ['Kernel', source.kernel && `Linux ${source.kernel}`], ['Microcode', source.microcode],
           ['Ran for', source.uptime && uptime(source.uptime)], ['Misspelt', source.misspelt && element('code', {}, source.misspelt)]]),
    lines && excerpt(source, lines),
    source.notes.length ? list('notes', source.notes) : null,
    source.findings.length ? list('findings', source.findings) : null,
  ];
}

function uptime(seconds) {
  const days = Math.floor(seconds / 86400), hours = Math.floor(seconds / 3600) % 24;
  return days ? `${count(days, 'day')}, ${count(hours, 'hour')}` : `${hours}:${String(Math.floor(seconds / 60) % 60).padStart(2, '0')} hours`;
}

// What the answer at the top says already is not said again.
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

// A table that may be wider than the window.
function scrolling(name, table) {
  return element('div', {class: 'wide', tabindex: '0', role: 'region', 'aria-label': name}, table);
}

const ROWS = [['Verdict', 'verdict'], ['Vendor', 'vendor'], ['Processor', 'brand'], ['Hypervisor', 'hypervisor'],
              ['Microcode', 'microcode'], ['Kernel', 'kernel']];

function sideBySide(machines, lessons) {
  const row = ([title, key]) => {
    const differs = machines.some(machine => machine[key] !== machines[0][key]);
    return element('tr', {class: differs ? 'differs' : null},
                   element('th', {scope: 'row'}, title + (differs ? ' *' : '')),
                   ...machines.map(machine => element('td', {}, key === 'verdict' ? verdictWord(machine[key])
                                                                                  : machine[key] || '')));
  };
  return titled('Side by side', scrolling('Machines side by side', element('table', {class: 'beside'},
    element('thead', {}, element('tr', {}, element('td', {}), ...machines.map(({name}) => element('th', {scope: 'col'}, name)))),
    element('tbody', {}, ...ROWS.filter(([, key]) => machines.some(machine => machine[key])).map(row)))),
    element('p', {}, 'What the differences (*) prove, and what not:'), list('lessons', lessons));
}

// Worst first; names in their natural order.
function sorted(hosts) {
  const worst = ['broken', 'inconsistent', 'unadvertised', 'unknown', 'disabled', 'unsupported', 'usable'];
  const order = new Intl.Collator('en', {numeric: true});
  return [...hosts].sort((a, b) => worst.indexOf(a.verdict) - worst.indexOf(b.verdict) || order.compare(a.host, b.host));
}

function fleet(explain) {
  const counts = Object.entries(explain.verdicts).filter(([, number]) => number).sort((a, b) => b[1] - a[1]);
  return titled(count(explain.machines, 'machine'),
                list('counts', counts.map(([verdict, number]) => [verdictWord(verdict), ` ${number.toLocaleString('en')}`])),
                scrolling('Hosts that differ from most', element('table', {class: 'fleet'},
                  element('caption', {}, 'Hosts that differ from most'),
                  element('thead', {}, element('tr', {}, element('th', {scope: 'col'}, 'Host'), element('th', {scope: 'col'}, 'Verdict'))),
                  element('tbody', {}, ...sorted(explain.odd).map(({host, verdict}) =>
                    element('tr', {}, element('th', {scope: 'row'}, host), element('td', {}, verdictWord(verdict))))))));
}

// Crashes that are not about us, those of which too little is left, and files that are packed.
function rest(explain) {
  const items = [];
  if (explain.other_crashes)
    items.push([`${count(explain.other_crashes, 'crash', 'crashes')} with another cause.`]);
  if (explain.unread_crashes)
    items.push([`${count(explain.unread_crashes, 'crash', 'crashes')} that could not be read, the first at line ${explain.unread_line}. ` +
                'Missing are the bytes of its Code: line, from the one in angle brackets on, or all of its registers. A serial ' +
                'console, netconsole, pstore or kdump keeps them. Without them, boot once with nofsgsbase. If that boots, ' +
                'FSGSBASE was the cause.']);
  for (const {name, is, command: unpack} of explain.packed || [])
    items.push([`${name} is ${is}.`, unpack ? command(unpack.replace('%s', name)) : '']);
  return items.length ? list('rest', items) : null;
}

function show(answer, lines) {
  const {explain} = answer;
  // The answer is that of the worst source.
  const worst = explain.sources.find(({verdict}) => verdict === answer.verdict) || answer;
  const title = explain.evidence ? headline(worst) : 'No evidence of FSGSBASE here';
  const inside = element('div', {class: 'inside'});
  const place = byId('answer');
  place.replaceChildren(
    element('div', {class: `verdict ${explain.evidence ? TONES[answer.verdict] || 'open' : 'open'}`},
            element('h2', {id: 'answer-title', tabindex: '-1'}, title),
            element('p', {class: 'reason'}, explain.evidence ? answer.reason : `${count(explain.lines, 'line')} read.`)),
    inside);
  const machines = explain.sources.slice(explain.sources.length - Math.min(explain.machines, 4));
  inside.append(explain.evidence && steps(answer.advice, 'What to do, cheapest first') || '', rest(explain) || '');
  explain.sources.forEach((source, i) => inside.append(card(source, lines[i], answer)));
  if (explain.machines > 4)
    inside.append(fleet(explain));
  else if (explain.machines > 1)
    inside.append(sideBySide(machines, explain.lessons));
  const json = JSON.stringify(answer, null, 2);
  const print = element('button', {type: 'button'}, 'Print for the ticket');
  print.addEventListener('click', () => window.print());
  const again = element('button', {type: 'button'}, 'Add files to compare');
  again.addEventListener('click', () => choose(true));
  inside.append(element('p', {class: 'buttons'}, print, again),
                element('details', {}, element('summary', {}, 'The same as JSON'), element('pre', {class: 'json', tabindex: '0'}, json)));
  place.hidden = false;
  say(`${title}. ${count(explain.lines, 'line')} of ${read.length === 1 ? read[0].name : count(read.length, 'file')} read.`);
  byId('answer-title').focus();
}

// -- Taking files and text

let adding = false;

function choose(more) {
  adding = more;
  byId('files').value = '';
  byId('files').click();
}

function take(files) {
  start(adding ? [...read, ...files] : [...files]);
  adding = false;
}

for (const pre of document.querySelectorAll('pre.command'))
  pre.replaceWith(command(pre.textContent));
byId('choose').addEventListener('click', () => choose(false));
byId('files').addEventListener('change', event => take(event.target.files));
byId('cancel').addEventListener('click', () => {
  stop();
  say('Cancelled.');
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
  if (event.clipboardData.files.length) {
    event.preventDefault();
    take(event.clipboardData.files);
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
    take(event.dataTransfer.files);
  else if (text)
    start([new File([text], 'dropped text')]);
});
