// SPDX-License-Identifier: MIT
// page.mjs chromium|firefox: tests fsgscheck.html in this browser, with the clicks and keys of a user.
//
// npm fetches puppeteer-core and axe-core into the build directory, once. puppeteer-core controls
// Debian's Chromium or Firefox.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import {createRequire} from 'node:module';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

const {SOURCE, FSGSCHECK, PAGE, ISO, NODE_FOLDER} = process.env;
const BROWSER = process.argv[2];
const PROGRAMS = {chromium: ['/usr/bin/chromium'], firefox: ['/usr/bin/firefox-esr', '/usr/bin/firefox']};
const PACKAGES = ['puppeteer-core@24', 'axe-core@4'];
const CHROMIUM_OPTIONS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
                          '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const LOGS = [path.join(SOURCE, 'tests/machines/logs'), path.join(SOURCE, 'tests/live/logs')];
const SCRATCH = fs.mkdtempSync(path.join(os.tmpdir(), 'page-'));
process.on('exit', () => fs.rmSync(SCRATCH, {recursive: true, force: true}));

function skip(reason) {
  console.log(`skipped: ${reason}`);
  process.exit(77);
}

function fetchPackages() {
  const done = spawnSync('python3', [path.join(SOURCE, 'tests/support/npm.py'), NODE_FOLDER, ...PACKAGES], {encoding: 'utf8'});
  if (done.status === 77)
    skip(done.stdout.trim());
  assert.equal(done.status, 0, done.stderr || String(done.error));
  return createRequire(path.join(NODE_FOLDER, 'here.js'));
}

const program = PROGRAMS[BROWSER].find(fs.existsSync);
if (!PAGE)
  skip('the page was not built: clang, lld, wasi-libc, libclang-rt-dev-wasm32 or what the ISO needs is not installed');
if (!program)
  skip(`${BROWSER} is not installed`);
const require = fetchPackages();
const puppeteer = require('puppeteer-core');
const axe = fs.readFileSync(require.resolve('axe-core'), 'utf8');

const netLog = path.join(SCRATCH, 'net.json');
const browser = await puppeteer.launch({
  browser: BROWSER === 'chromium' ? 'chrome' : 'firefox', executablePath: program, headless: true, timeout: 120000,
  protocolTimeout: 120000, args: BROWSER === 'chromium' ? [...CHROMIUM_OPTIONS, `--log-net-log=${netLog}`] : []});
const failures = [], requests = [];
let page, control;

// -- the actions of a user

async function open() {
  if (page)
    await page.close();
  page = await browser.newPage();
  page.setDefaultTimeout(60000);
  page.on('pageerror', error => failures.push(error.message));
  page.on('console', message => message.type() === 'error' && failures.push(message.text()));
  page.on('dialog', dialog => failures.push(`a dialog: ${dialog.message()}`));
  page.on('request', request => requests.push(request.url()));
  await page.setViewport({width: 1000, height: 900});
  await page.goto(`file://${PAGE}`);
}

async function answered() {
  await page.waitForSelector('#answer:not([hidden])');
  return page.evaluate(() => {
    const texts = selector => [...document.querySelectorAll(`#answer ${selector}`)].map(found => found.textContent);
    return {title: texts('#answer-title')[0], reason: texts('.reason')[0], findings: texts('.findings > li'),
            notes: texts('.notes > li'), steps: texts('.steps .said, .steps code'), cards: texts('.card > h3'),
            json: JSON.parse(texts('.json')[0]),
            // The visible text. The JSON is left out, because it repeats all of the text.
            text: [...document.querySelectorAll('#answer > :not(.inside), .inside > :not(details)')].map(found => found.innerText).join('\n')};
  });
}

async function choose(...files) {
  await page.$eval('#files', input => input.value = ''); // so that the same file can be chosen again
  await (await page.$('#files')).uploadFile(...files);
  return answered();
}

async function drop(...files) {
  const client = await page.createCDPSession();
  for (const type of ['dragEnter', 'dragOver', 'drop'])
    await client.send('Input.dispatchDragEvent', {type, x: 300, y: 300, data: {items: [], files, dragOperationsMask: 1}});
}

// Puts text into the field at once, as pasting does, and submits it.
async function paste(text) {
  await page.evaluate(() => document.getElementById('answer').hidden = true);
  await page.focus('#text');
  await page.evaluate(text => {
    document.execCommand('selectAll');
    document.execCommand('insertText', false, text);
  }, text);
  await page.click('#paste button[type=submit]');
  return answered();
}

function written(name, content) {
  const file = path.join(SCRATCH, name);
  fs.mkdirSync(path.dirname(file), {recursive: true});
  fs.writeFileSync(file, content);
  return file;
}

function run(files, ...options) {
  const done = spawnSync(FSGSCHECK, ['explain', ...options, '--', ...files.map(file => path.basename(file))],
                         {cwd: path.dirname(files[0]), encoding: 'utf8', maxBuffer: 1 << 26});
  assert.equal(done.stderr, '');
  return done.stdout;
}

function command(...files) {
  return {...JSON.parse(run(files, '--json')), text: run(files)};
}

const steps = advice => advice ? advice.split('\n').map(line => line.replace(/^([A-Z][a-z]+: |\s+)/, '')) : [];
const sorted = items => [...new Set(items)].sort();

// The page must contain each line of the command's text, apart from headings and host names. For a row with columns, it
// must contain each word. The bytes after the instruction are not compared.
function assertTold(shown, {text, explain}) {
  const flat = shown.text.replace(/\s+/g, ' ').replace(/(\d),(?=\d{3})/g, '$1').toLowerCase();
  const hosts = new Set(explain.groups.flatMap(({hosts}) => hosts || []));
  for (const line of text.split('\n')) {
    const told = line.replace(/^[* ] +|; run:$/g, '').replace(/^(\d+\. |Most, )/, '');
    const words = told.split(/ +/).slice(0, told.startsWith('instruction ') ? 7 : undefined);
    if (/^(-+|Findings|Notes|What to do.*|)$/.test(told) || words.every(word => hosts.has(word)))
      continue;
    for (const piece of / {2}/.test(told) ? words : told.split(/: (?:FSGSBASE: )?/))
      assert.ok(flat.includes(piece.toLowerCase().replace(/:$/, '')), `not in the page: ${piece}, of: ${line}`);
  }
}

// The page must have the command's JSON, and must show the verdict, reason, advice, findings and notes in the same words.
function assertSame(shown, {text, ...said}) {
  assert.deepEqual(shown.json, said);
  const {explain} = said;
  const groups = explain.machines <= 4 ? [] :
    explain.groups.filter(({usual, verdict}) => !usual || !['usable', 'disabled', 'unsupported'].includes(verdict));
  const sources = explain.machines > 4 ? explain.sources.slice(0, -4) : explain.sources;
  if (!explain.evidence) {
    assert.match(shown.title, /^No evidence/);
    assert.match(shown.reason, new RegExp(`^${explain.lines.toLocaleString('en')} lines? of .* read`));
  } else {
    assert.equal(shown.title, `FSGSBASE: ${said.verdict}, ${explain.fault}`);
    assert.equal(shown.reason, said.reason);
  }
  assert.deepEqual(sorted(shown.steps), sorted([said, ...sources, ...groups].flatMap(({advice}) => explain.evidence ? steps(advice) : [])));
  assert.deepEqual(sorted(shown.findings), sorted([...sources, ...groups].flatMap(
    source => source.findings.map((name, i) => `${name}: ${source.finding_texts[i]}`))));
  assert.deepEqual(shown.notes, sources.flatMap(source => source.notes));
  if (text)
    assertTold(shown, {text, explain});
}

const story = path.join(SOURCE, 'tests/machines/logs/lie-6.1-generic.log');
const cpuinfos = ['cpuinfo-epyc-7281.txt', 'cpuinfo-xeon-e5-2620.txt'].map(name => path.join(SOURCE, 'tests/live/logs', name));
const inputs = LOGS.flatMap(folder => fs.readdirSync(folder, {recursive: true}).map(name => path.join(folder, name)))
  .filter(file => fs.statSync(file).isFile());
const chromium = {skip: BROWSER !== 'chromium' && 'once is enough'};

test('it is small and opens at once', async () => {
  const {size} = fs.statSync(PAGE);
  let least = Infinity;
  // Other tests may slow this one down, so the shortest of several times counts.
  for (let i = 0; i < 10 && least > 1000; i++) {
    const before = Date.now();
    await open();
    least = Math.min(least, BROWSER === 'chromium' ? 1000 * (await page.metrics()).TaskDuration : Date.now() - before);
  }
  console.log(`${size} bytes, opened in ${least.toFixed(0)} ms`);
  assert.ok(size < 2e6);
  assert.ok(least < 1000 || BROWSER !== 'chromium');
});

test('the story, by one click', async () => {
  await page.click('#try');
  const shown = await answered();
  assertSame(shown, {...command(story), explain: shown.json.explain, text: ''});
  assert.equal(shown.json.verdict, 'broken');
  assert.deepEqual(await page.$$eval('.steps .whole', found => found.map(({textContent}) => textContent)),
                   ['-CompatibilityForMigrationMode', '-VMName', '-CompatibilityForMigrationEnabled']);
  // On a phone's screen, 360 pixels wide, each option of the command fits on one line.
  await page.setViewport({width: 360, height: 800});
  const lines = await page.$$eval('.steps .whole', found => found.map(whole => whole.offsetHeight / parseFloat(getComputedStyle(whole).lineHeight)));
  assert.ok(Math.max(...lines) < 1.5, String(lines));
});

test('the story, with keys alone', chromium, async () => {
  await open();
  for (let i = 0; ; i++) {
    assert.ok(i < 10, 'it cannot be reached');
    await page.keyboard.press('Tab');
    if (await page.evaluate(() => document.activeElement.id === 'try'))
      break;
  }
  await page.keyboard.press('Enter');
  await answered();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'answer-title');
  assert.match(await page.$eval('[role=status]', status => status.textContent), /^FSGSBASE: broken/);
});

test(`chosen files: ${inputs.length} inputs, as the command says`, async () => {
  for (const file of BROWSER === 'chromium' ? inputs : [story, ...cpuinfos])
    assertSame(await choose(file), command(file));
});

// The page names each kind of evidence, and shows the command of each hint.
test('deaths of programs, lscpu, hypervisors and no evidence', async () => {
  const given = {
    gdb: fs.readFileSync(path.join(LOGS[1], 'program-gdb.txt')),
    lscpu: 'Architecture:            x86_64\nVendor ID:               AuthenticAMD\nModel name:              AMD EPYC 7281\n' +
           'Hypervisor vendor:       Microsoft\nFlags:                   fpu vme de pse tsc msr pae fsgsbase bmi1 avx2\n',
    virsh: "error: operation failed: guest CPU doesn't match specification: missing features: ss,fsgsbase,bmi1\n",
    trap: '[   12.3] traps: app[77] trap invalid opcode ip:55d0c0de1234 sp:7ffe00001000 error:0 in app[55d0c0de0000+2000]\n',
    cut: '[    1.0] invalid opcode: 0000 [#1] SMP\n[    1.0] RIP: 0010:foo+0x1/0x2\n[    1.0] Kernel panic - not syncing: x\n',
  };
  const titles = [];
  for (const [name, content] of Object.entries(given)) {
    const file = written(`${name}.txt`, content);
    const shown = await choose(file);
    assertSame(shown, command(file));
    titles.push(...shown.cards.map(title => title.replace(/.*: /, '')));
  }
  assert.deepEqual(titles, ['the death of a program', 'the output of lscpu', "a hypervisor's message about a guest"]);
});

// crash(8) prints the name of the instruction, but not its bytes.
test('an instruction without its bytes', async () => {
  const file = written('crash.txt', `crash> bt
PID: 0  TASK: ffffffffb541aa40  CPU: 0  COMMAND: "swapper/0"
 #0 [ffffffffb5403c50] exc_invalid_op at ffffffffb4a2b6f0
    [exception RIP: current_save_fsgs+56]
    RIP: ffffffffb3e5b7f8  RSP: ffffffffb5403d00  RFLAGS: 00000046
crash> dis current_save_fsgs+56 1
0xffffffffb3e5b7f8 <current_save_fsgs+56>:      rdfsbase %rax
`);
  const shown = await choose(file);
  assertSame(shown, command(file));
  assert.equal(shown.json.explain.sources[0].instruction, 'rdfsbase');
});

test('files that are dropped', chromium, async () => {
  await open();
  await drop(...cpuinfos);
  const shown = await answered();
  assertSame(shown, command(...cpuinfos));
  assert.equal(shown.json.explain.machines, 2);
});

test('pasted text, and no text', async () => {
  await open();
  await page.click('#paste button[type=submit]');
  await page.waitForFunction(() => /paste it first/.test(document.querySelector('[role=status]').textContent));
  const text = fs.readFileSync(cpuinfos[0], 'utf8');
  assertSame(await paste(text), command(written('pasted text', text)));
});

test('text that is pasted outside of the field', chromium, async () => {
  await open();
  const text = fs.readFileSync(cpuinfos[0], 'utf8');
  await page.$eval('#text', (area, text) => {
    area.value = text;
    area.select();
    document.execCommand('copy');
    area.value = '';
    document.getElementById('choose').focus();
  }, text);
  await page.keyboard.down('Control');
  await page.keyboard.press('KeyV');
  await page.keyboard.up('Control');
  assertSame(await answered(), command(written('pasted text', text)));
});

test('UTF-16 from PowerShell, and the mark of UTF-8 with CR LF', async () => {
  const text = fs.readFileSync(story, 'latin1').replaceAll('\n', '\r\n');
  const swapped = Buffer.from('\ufeff' + text, 'utf16le').swap16();
  for (const content of [Buffer.from('\ufeff' + text, 'utf16le'), swapped, Buffer.from('\ufeff' + text)]) {
    const file = written('out.txt', content);
    const shown = await choose(file);
    assertSame(shown, command(file));
    assert.equal(shown.json.verdict, 'broken');
    assert.deepEqual(await page.$$eval('.proof mark', marks => marks.map(mark => mark.textContent)),
                     ['invalid opcode', '<f3> 48 0f ae c0', '00000000001506f0']);
  }
});

// The page marks the lines that prove the verdict. It must find these lines after zero bytes from a disk or a console,
// after text in another encoding, and where line ends or a long line lie across two buffers of the worker.
test('the lines that prove it, whatever stands before them', chromium, async () => {
  const text = fs.readFileSync(story, 'latin1'), crlf = text.replaceAll('\n', '\r\n'), buffer = 1 << 20;
  const cases = {
    zeros: '\0'.repeat(4096) + text,
    'an odd number of zeros': '\0'.repeat(511) + text,
    'many zeros in between': 'before it' + '\0.'.repeat(200) + '\n' + text,
    'zeros in an end': 'q'.repeat(buffer - 4) + '\n\0\0\0\0\r' + text,
    'UTF-16 behind ASCII': Buffer.concat([Buffer.from('first\r\nsecond\r\n'), Buffer.from(crlf, 'utf16le')]),
    'UTF-16 behind a MiB of ASCII': Buffer.concat([Buffer.alloc(buffer, 'a\n'), Buffer.from('b\r\n' + crlf, 'utf16le')]),
    'LF CR where a buffer ends': 'q\n'.repeat(buffer / 2) + 'q'.repeat(buffer - 1) + '\n\r' + text,
    'two ends where a buffer ends': 'q\n'.repeat(buffer / 2) + 'q'.repeat(buffer - 1) + '\r\n\r\n' + crlf,
    'a string of JSON': JSON.stringify({Output: 'console\r\n'.repeat(7000) + crlf}),
  };
  for (const [name, content] of Object.entries(cases)) {
    const file = written('lines.log', typeof content === 'string' ? Buffer.from(content, 'latin1') : content);
    const shown = await choose(file);
    assertSame(shown, command(file));
    const marks = await page.$$eval('.proof mark', found => found.map(mark => mark.textContent));
    // Of a long line, the page shows only the part with the instruction.
    assert.deepEqual(marks, content.startsWith?.('{') ? ['<f3> 48 0f ae c0'] : ['invalid opcode', '<f3> 48 0f ae c0', '00000000001506f0'],
                     name);
    const proof = new Set(Object.values(shown.json.explain.sources[0].lines));
    assert.equal(await page.$$eval('.proof', found => found.length), proof.size, name);
  }
});

test('no evidence: what is needed, and the boot image', async () => {
  const file = written('quiet.log', 'usb 1-1: new high-speed USB device\n');
  const shown = await choose(file);
  assertSame(shown, command(file));
  assert.equal(shown.reason, '1 line of quiet.log read.');
  assert.match(shown.text, /^Nothing here shows whether FSGSBASE is the cause$/m);
  assert.match(shown.text, /invalid opcode/);
  assert.ok(await page.$('#answer .save-image'));
});

test('two dumps side by side, with their differences', chromium, async () => {
  const shown = await choose(...cpuinfos);
  assertSame(shown, command(...cpuinfos));
  const table = await page.$$eval('.beside tr', rows => rows.map(row => [row.className, ...[...row.cells].map(cell => cell.textContent)]));
  assert.deepEqual(table[0].slice(2), cpuinfos.map(file => path.basename(file)));
  assert.ok(table.some(row => row[0] === 'differs' && /EPYC/.test(row[2]) && /Xeon/.test(row[3])), table);
});

test('files of one name from two folders', chromium, async () => {
  const twins = ['a', 'b'].map((folder, i) => written(`${folder}/cpuinfo`, fs.readFileSync(cpuinfos[i])));
  const {json} = await choose(...twins, written('c/cpuinfo (2)', fs.readFileSync(cpuinfos[0])));
  assert.deepEqual(json.explain.sources.map(({name}) => name), ['cpuinfo', 'cpuinfo (2)', 'cpuinfo (2) (2)']);
});

test('a fleet as a sorted table, and what to do for each group', chromium, async () => {
  const report = {...command(story), explain: undefined, text: undefined, verdict: 'usable', findings: []};
  const hosts = Array.from({length: 40}, (_, i) => 39 - i).map(i => written(`fleet/host${i}.json`, JSON.stringify(
    {...report, host: `host${i}`, ...i % 20 === 7 ? {verdict: 'broken', findings: ['insn-ud']} :
                                  i === 3 ? {verdict: 'disabled', findings: ['switched-off']} : {}})));
  const shown = await choose(...hosts);
  assertSame(shown, command(...hosts));
  const rows = await page.$$eval('.fleet tbody tr', found => found.map(row => [...row.cells].slice(0, 2).map(cell => cell.textContent)));
  assert.deepEqual(rows, [['host7', 'broken'], ['host27', 'broken'], ['host3', 'disabled']]);
  assert.deepEqual(shown.cards, ["2 machines (host7, host27): broken, the host's fault",
                                 '1 machine (host3): disabled, switched off on purpose']);
  assert.match(shown.text, /^2 of 40 machines$/m);
});

test('of several files, those without evidence are named', chromium, async () => {
  const content = {'a b.txt': 'hello\n', 'story.log': fs.readFileSync(story), 'empty.log': '', '<b>.txt': '<b>\n'};
  const files = Object.entries(content).map(([name, text]) => written(`without/${name}`, text));
  const shown = await choose(...files);
  assertSame(shown, command(...files));
  const names = await page.$$eval('.names > li', found => found.map(({textContent}) => textContent));
  assert.deepEqual(names, ['a b.txt', 'empty.log', '<b>.txt']);
  assert.match(shown.text, /^3 of 4 files without evidence of FSGSBASE:$/m);
});

// For a group of machines, the page must name the side at fault in the same words as the command.
test('a group of machines without a trial', chromium, async () => {
  const cpuinfo = (version, flag) => `Linux vm ${version}-18-amd64 #1 SMP x86_64 GNU/Linux\nprocessor\t: 0\nvendor_id\t: AuthenticAMD\n` +
    `cpu family\t: 23\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nstepping\t: 2\nflags\t\t: fpu syscall nx lm ${flag} avx2\nbugs\t\t: null_seg\n`;
  const files = [1, 2, 3, 4, 5].map(i => written(`mixed/vm${i}`, cpuinfo('6.1.0', i === 5 ? 'fsgsbase' : 'bmi1')));
  const shown = await choose(...files);
  assertSame(shown, command(...files));
  assert.deepEqual(shown.cards, ['4 machines (most): unknown, too little evidence to name a fault',
                                 '1 machine (vm5): usable, used by the running kernel; not tried']);
});

test('a known build of an unknown hypervisor', chromium, async () => {
  const file = written('build.log', fs.readFileSync(story, 'latin1').replaceAll('Hypervisor detected: Microsoft Hyper-V', 'Hypervisor detected: Other'));
  const shown = await choose(file);
  assertSame(shown, command(file));
  assert.equal(shown.json.explain.sources[0].hypervisor, null);
  assert.match(shown.text, /^build 10\.0\.20348$/m);
});

// The log contains markup, terminal escapes, text from right to left, NUL (which `explain` drops), bytes that are not
// UTF-8, and a line of 10 MB.
test('a hostile log', async () => {
  const bait = '<script>document.title = "hit"</script><img src=x onerror="document.title=\'hit\'"></pre><style>*{display:none}</style>';
  const log = fs.readFileSync(story, 'latin1').split('\n');
  const at = log.findIndex(line => line.includes('RIP: 0010:'));
  // The hostile line begins with the time stamp of the crash. Without the stamp, it would not count as a line of the crash.
  const clock = log[at].slice(0, log[at].indexOf(']') + 2);
  log.splice(at + 1, 0, `${clock}${bait} \x1b[2J\x1b]0;hit\x07 \x00 &lt;b&gt; {{policy}}`);
  const file = written(`${'<img src=x onerror=alert(1)>'.replace('/', '')}.log`, Buffer.concat([
    Buffer.from(log.join('\n'), 'latin1'), Buffer.from('\n\u202egpj.exe '), Buffer.from([0xff, 0xc0, 0x80, 10]),
    Buffer.alloc(1e7, '<script>'), Buffer.from('\n')]));
  await open();
  const before = await page.$$eval('script, img, style, iframe, a', found => found.length);
  const shown = await choose(file);
  assertSame(shown, command(file));
  assert.equal(shown.json.verdict, 'broken');
  assert.equal(await page.$$eval('script, img, style, iframe, a', found => found.length), before);
  assert.doesNotMatch(await page.title(), /hit/);
  const lines = await page.$$eval('.log li', found => found.map(line => line.textContent));
  assert.ok(lines.some(line => line.includes(`${bait} ·[2J·]0;hit·  &lt;b&gt; {{policy}}`)), lines.join('\n'));
});

// Two long names with the same beginning, names with invisible or reversing characters, and names with shell commands: the
// page must show each file's own lines.
test('hostile names of files', chromium, async () => {
  const text = fs.readFileSync(story, 'latin1'), long = 'a'.repeat(100);
  const files = [`${long}1.log`, `${long}2.log`, 'x\u202egol.exe', '$& $(id) `id`.log', 'a\u200bb\ttab.log'].map((name, i) =>
    written(`names/${name}`, text.replaceAll('current_save_fsgs+0x38', `current_save_fsgs+0x${i}8`)));
  const {json, cards} = await choose(...files);
  assert.equal(new Set(cards).size, files.length);
  const shown = await page.$$eval('.card', found => found.map(card => [...card.querySelectorAll('.proof')].map(line => line.textContent).join('\n')));
  shown.forEach((lines, i) => assert.ok(lines.includes(`current_save_fsgs+0x${i}8`), json.explain.sources[i].name));
  assert.doesNotMatch(cards.join(''), /[\u202e\u200b\t]/);
  const packed = written("it's ; id $&.gz", Buffer.from([0x1f, 0x8b, 8, 0]));
  await choose(packed);
  assert.match(await page.$eval('.rest', rest => rest.innerText), /does not unpack it: choose the text that is in it/);
  assert.equal(await page.$eval('.rest code', code => code.textContent), "zcat 'it'\\''s ; id $&.gz' | fsgscheck explain -");
});

test('100 MB: the page stays alive, shows how far it is, and can be stopped', chromium, async () => {
  const text = fs.readFileSync(path.join(LOGS[0], 'honest-6.1-generic.log'));
  const file = written('long.log', Buffer.concat([...Array(Math.ceil(1e8 / text.length)).fill(text), fs.readFileSync(story)]));
  await open();
  await page.evaluate(() => {
    let last = performance.now();
    window.longest = 0;
    window.seen = new Set();
    setInterval(() => {
      window.longest = Math.max(window.longest, performance.now() - last);
      last = performance.now();
      window.seen.add(document.getElementById('progress').value);
    }, 10);
  });
  await (await page.$('#files')).uploadFile(file);
  await page.waitForFunction(() => document.getElementById('progress').value > 0.05);
  await page.click('#cancel');
  assert.match(await page.$eval('[role=status]', status => status.textContent), /Cancelled/);
  assert.equal(await page.$eval('#answer', answer => answer.hidden), true);
  const before = Date.now();
  const shown = await choose(file);
  const {longest, steps} = await page.evaluate(() => ({longest: window.longest, steps: window.seen.size}));
  const all = Date.now() - before;
  console.log(`100 MB read in ${all} ms; the page never waited longer than ${longest.toFixed(0)} ms`);
  assertSame(shown, command(file));
  assert.equal(shown.json.verdict, 'broken');
  assert.ok(steps > 10, `${steps} steps`);
  assert.ok(longest < Math.max(1000, all / 4));
});

test('a folder, which cannot be read, is named as the trouble', chromium, async () => {
  await open();
  await drop(SCRATCH);
  await page.waitForFunction(() => /could not be read/.test(document.querySelector('[role=status]').textContent));
  assert.equal(await page.$eval('#answer', answer => answer.hidden), true);
  // A file that is dropped together with a folder is still read.
  await drop(SCRATCH, story);
  const shown = await answered();
  assert.equal(shown.json.verdict, 'broken');
  assert.deepEqual(shown.json.explain.without_evidence, []);
  assert.ok(shown.text.includes(`${path.basename(SCRATCH)} could not be read`));
  assert.match(await page.$eval('[role=status]', status => status.textContent), /broken.*could not be read/);
});

// Browsers report a deleted file as empty. The page must say so, and must not count it as a file without evidence.
test('a file that goes away or grows is named, too', chromium, async () => {
  await open();
  await page.evaluate(() => window.addEventListener('change', event => event.stopImmediatePropagation(),
                                                    {capture: true, once: true}));
  const gone = written('gone.log', 'x\n');
  await (await page.$('#files')).uploadFile(gone, story);
  fs.unlinkSync(gone);
  await page.$eval('#files', input => input.dispatchEvent(new Event('change')));
  const shown = await answered();
  assert.equal(shown.json.verdict, 'broken');
  assert.deepEqual(shown.json.explain.without_evidence, []);
  assert.match(shown.text, /gone\.log could not be read/);
  const growing = written('growing.log', Buffer.alloc(3e7, fs.readFileSync(story)));
  await (await page.$('#files')).uploadFile(growing);
  await page.waitForFunction(() => document.getElementById('progress').value > 0.05);
  fs.appendFileSync(growing, 'more\n');
  await page.waitForFunction(() => /growing\.log could not be read.*still being written, choose a copy/.test(
    document.querySelector('[role=status]').textContent));
});

test('a drop of neither a file nor text', chromium, async () => {
  const client = await page.createCDPSession();
  for (const type of ['dragEnter', 'dragOver', 'drop'])
    await client.send('Input.dispatchDragEvent', {type, x: 300, y: 300, data: {
      items: [{mimeType: 'text/html', data: '<img src=x onerror=alert(1)>'}], dragOperationsMask: 1}});
  await page.waitForFunction(() => /neither a file nor text/.test(document.querySelector('[role=status]').textContent));
});

test('added files join only the answer that asked for them', chromium, async () => {
  const add = async () => (await Promise.all([page.waitForFileChooser(), page.click('.inside > .buttons button:last-child')]))[0];
  await choose(cpuinfos[0]);
  await (await add()).accept([cpuinfos[1]]);
  await page.waitForSelector('.beside');
  await choose(cpuinfos[0]);
  await (await add()).cancel();
  await page.evaluate(() => document.getElementById('answer').hidden = true);
  await drop(story);
  assert.equal((await answered()).json.explain.machines, 0);
});

// A browser takes seconds to lay out so much text, so the page reads the text without putting it into the field.
test('20 MB that are pasted into the field', chromium, async () => {
  await open();
  const longest = await page.evaluate(async text => {
    const data = new DataTransfer(), begun = performance.now();
    data.setData('text/plain', text.repeat(Math.ceil(2e7 / text.length)));
    document.getElementById('text').dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}));
    return performance.now() - begun;
  }, fs.readFileSync(story, 'latin1'));
  const shown = await answered();
  assert.equal(shown.json.verdict, 'broken');
  assert.equal(await page.$eval('#text', area => area.value), '');
  console.log(`20 MB taken from the clipboard in ${longest.toFixed(0)} ms`);
});

test('a browser that cannot run it says so', async () => {
  await open();
  assert.equal(await page.$('#unable'), null);
  // A copy of the page whose policy bars scripts, because the test cannot disable JavaScript in Debian's Firefox.
  const without = path.join(SCRATCH, 'without-scripts.html'), text = fs.readFileSync(PAGE, 'latin1');
  const barred = text.replace(/script-src [^;"]*/, "script-src 'none'");
  assert.notEqual(barred, text);
  fs.writeFileSync(without, barred, 'latin1');
  await page.goto(`file://${without}`);
  assert.match(await page.$eval('#unable', found => found.innerText), /JavaScript and WebAssembly/);
  await open();
  await page.evaluateOnNewDocument(() => delete self.WebAssembly);
  await page.reload();
  assert.match(await page.$eval('#unable', found => found.innerText), /JavaScript and WebAssembly/);
});

test('what is copied is the command', chromium, async () => {
  await open();
  await page.click('summary');
  const wanted = await page.$eval('.command code', code => code.textContent);
  await page.focus('.command .copy');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => /Copied/.test(document.querySelector('[role=status]').textContent));
  await page.focus('#text');
  await page.keyboard.down('Control');
  await page.keyboard.press('KeyV');
  await page.keyboard.up('Control');
  assert.equal(await page.$eval('#text', area => area.value), wanted);
});

test('the boot image that is saved is the boot image', chromium, async () => {
  const client = await browser.target().createCDPSession();
  await client.send('Browser.setDownloadBehavior', {behavior: 'allow', downloadPath: SCRATCH});
  await page.click('#image .save-image');
  const saved = path.join(SCRATCH, 'fsgscheck-boot.iso');
  for (let i = 0; i < 100 && !fs.existsSync(saved); i++)
    await new Promise(resolve => setTimeout(resolve, 100));
  assert.ok(fs.readFileSync(saved).equals(fs.readFileSync(ISO)));
});

test('no rule of accessibility is broken', chromium, async () => {
  const inputsOf = {start: null, crash: [story], beside: cpuinfos, fleet: fs.readdirSync(path.join(SCRATCH, 'fleet')).map(name => path.join(SCRATCH, 'fleet', name))};
  for (const [state, files] of Object.entries(inputsOf)) {
    await open();
    await page.evaluate(axe);
    if (files)
      await choose(...files);
    await page.$$eval('details', found => found.forEach(details => details.open = true));
    for (const scheme of ['light', 'dark'])
      for (const width of [1000, 360]) {
        await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: scheme}]);
        await page.setViewport({width, height: 800});
        const {violations, passes} = await page.evaluate(() => axe.run());
        assert.deepEqual(violations.map(({id, nodes}) => `${state} ${scheme} ${width}: ${id}: ${nodes[0].html}`), []);
        assert.ok(passes.length > 15);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= width, `${state} is wider than ${width}`);
      }
  }
});

test('the ticket is one sheet', chromium, async () => {
  await open();
  await page.click('#try');
  await answered();
  // Also in the dark scheme, the page must print black text without a background.
  const client = await page.createCDPSession();
  for (const scheme of ['light', 'dark']) {
    await client.send('Emulation.setEmulatedMedia', {media: 'print', features: [{name: 'prefers-color-scheme', value: scheme}]});
    assert.deepEqual(await page.$eval('.steps > li', step => {
      const {color, backgroundColor} = getComputedStyle(step, '::before');
      return [color, backgroundColor];
    }), ['rgb(0, 0, 0)', 'rgba(0, 0, 0, 0)'], scheme);
  }
  const pdf = Buffer.from(await page.pdf({preferCSSPageSize: true})).toString('latin1');
  assert.equal(pdf.match(/\/Type\s*\/Page\b/g).length, 1);
});

test('the module imports nothing', chromium, async () => {
  assert.deepEqual(WebAssembly.Module.imports(new WebAssembly.Module(fs.readFileSync(process.env.MODULE))), []);
});

// The page tries to send requests to a server of this test. The page's own policy must prevent each of them.
test('no request leaves', async () => {
  let came = 0;
  const server = http.createServer((request, response) => {
    came++;
    response.end();
  });
  // So far, all pages and workers of this file may have requested only local URLs.
  assert.deepEqual(requests.filter(url => !/^(file|blob|data):/.test(url)), []);
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}/`;
  await open();
  await page.click('#try');
  await answered();
  failures.length = 0;
  const refused = await page.evaluate(async url => {
    const tried = {
      fetch: () => fetch(url),
      image: () => new Promise((done, fail) => Object.assign(new Image(), {onload: done, onerror: fail, src: url})),
      socket: () => new Promise((done, fail) => Object.assign(new WebSocket(url.replace('http', 'ws')), {onopen: done, onerror: fail})),
      script: () => new Promise((done, fail) => document.head.append(Object.assign(document.createElement('script'), {onload: done, onerror: fail, src: url}))),
      style: () => new Promise((done, fail) => document.head.append(Object.assign(document.createElement('link'), {rel: 'stylesheet', onload: done, onerror: fail, href: url}))),
      code: async () => document.head.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = true'})) || window.ran || Promise.reject(),
      worker: () => new Promise((done, fail) => {
        const source = `fetch(${JSON.stringify(url)}).then(() => postMessage(1), () => postMessage(0))`;
        new Worker(URL.createObjectURL(new Blob([source]))).onmessage = ({data}) => data ? done() : fail();
      }),
    };
    navigator.sendBeacon(url);
    const outcomes = await Promise.allSettled(Object.values(tried).map(attempt => attempt()));
    return Object.keys(tried).filter((name, i) => outcomes[i].status === 'rejected').length === outcomes.length;
  }, url);
  await new Promise(resolve => setTimeout(resolve, 500));
  assert.ok(refused);
  assert.equal(came, 0);
  // As a control, a page without the policy reaches the server: so the server counts requests.
  control = url;
  await page.goto(`file://${written('control.html', `<script>fetch('${url}', {mode: 'no-cors'})</script>`)}`);
  for (let i = 0; i < 100 && !came; i++)
    await new Promise(resolve => setTimeout(resolve, 100));
  assert.equal(came, 1);
  server.close();
  failures.length = 0; // only the refused requests have failed
});

test.after(async () => {
  await browser.close();
  assert.deepEqual(failures, []);
  if (BROWSER !== 'chromium')
    return;
  // The browser's log of network requests. Only the control page may have sent one. The browser's own requests do not count.
  const asked = fs.readFileSync(netLog, 'utf8').split('\n').filter(line => /"initiator":"(?!not an origin)/.test(line))
    .map(line => /"url":"([^"]*)"/.exec(line)[1]).filter(url => !/^(file|blob|data|devtools|chrome):/.test(url));
  assert.deepEqual([...new Set(asked)], [control]);
});
