// SPDX-License-Identifier: MIT
// Reads files with the WebAssembly module, in a worker, so that the page stays responsive. Each run has its own worker.
// To cancel a run, the page ends the worker.
'use strict';

const LONGEST = 1 << 18;    // maximum number of characters of a line: a cloud's console may be one string of JSON
const AROUND = 1;           // lines before and after an important line
const ENCODINGS = ['utf-8', 'utf-16le', 'utf-16be'];          // by enum explain_encoding
const SECOND_HALVES = {10: '\r', 13: '\n'};

let exports, buffer, room;

function memory(at, length) {
  return new Uint8Array(exports.memory.buffer, at, length);
}

function stringAt(at) {
  const all = new Uint8Array(exports.memory.buffer);
  return new TextDecoder().decode(all.subarray(at, all.indexOf(0, at)));
}

// Feeds one file to the reader. Returns the encoding of the file, whether the whole file could be read, and a mark for
// each buffer. Marks serve to find lines again. A mark has the position of the buffer in the file and the number of
// lines that page_feed() had counted before the buffer. It also has the CR or LF before the buffer, which may be the
// first half of CR LF or LF CR.
async function feed({file, name: text}, report) {
  const name = new TextEncoder().encode(text);
  const marks = [];
  let read = true, ended = 0;
  memory(buffer, name.length).set(name);
  exports.page_file(name.length);
  try {
    // A folder, or a file that no longer exists, has the size 0, like an empty file. So a file of the size 0 is read as a
    // whole, which fails for a folder or a missing file. Reading an empty slice of them may succeed.
    for (let at = 0, lines = 0; at < file.size || at === 0; at += room) {
      const bytes = new Uint8Array(await (file.size ? file.slice(at, at + room) : file).arrayBuffer());
      marks.push({at, lines, ended});
      memory(buffer, bytes.length).set(bytes);
      lines = exports.page_feed(bytes.length);
      ended = exports.page_ended();
      report(bytes.length);
    }
  } catch (error) {
    if (!(error instanceof DOMException))
      throw error;
    read = false;
  }
  const encoding = ENCODINGS[exports.page_encoding()];
  exports.page_end_file(read);
  return {encoding, marks, read};
}

// Gets the wanted lines of a file, by their numbers, which count from 1. Drops zero bytes, as the reader does. Otherwise a
// zero byte between CR and LF would make two line ends of one.
async function fetchLines(file, {encoding, marks}, wanted) {
  const lines = {};
  let last = null;
  for (const number of [...wanted].sort((a, b) => a - b)) {
    // At this mark, the line before the wanted line had not ended, but at the next mark it had. So the wanted line begins in
    // the buffer of this mark.
    const from = marks.findLast(mark => mark.lines < number - 1) || marks[0];
    if (from === last)
      continue;
    last = from;
    let text = new TextDecoder(encoding, {ignoreBOM: from.at > 0})
      .decode(await file.slice(from.at, from.at + 2 * room).arrayBuffer()).replaceAll('\0', '');
    if (text[0] === SECOND_HALVES[from.ended])
      text = text.slice(1);
    text.split(/\r\n|\n\r|\n|\r/).forEach((line, i, all) => {
      // The first part may be the end of an earlier line. After the end of the last line there is no further line.
      if ((i || !from.at) && wanted.has(from.lines + 1 + i) && (line || i < all.length - 1))
        lines[from.lines + 1 + i] = line.slice(0, LONGEST);
    });
  }
  return lines;
}

// Gets the lines that a source is based on, and the lines around them.
async function excerpt(source, files, fed) {
  // If a file has several machines, the names of all but the first end with their line number.
  const read = files.find(({name}) => name === source.name || `${name}:${source.line}` === source.name) ||
    (files.length === 1 && files[0]);
  const wanted = new Set();
  if (!read)
    return {};
  for (const line of Object.values(source.lines))
    for (let number = Math.max(1, line - AROUND); number <= line + AROUND; number++)
      wanted.add(number);
  return fetchLines(read.file, fed.get(read), wanted).catch(() => ({}));
}

onmessage = async ({data: {reader, files}}) => {
  const total = files.reduce((sum, {file}) => sum + file.size, 0);
  const unread = [];
  let done = 0;
  const report = size => postMessage({done: done += size, total});
  try {
    exports = (await WebAssembly.instantiate(reader, {})).instance.exports;
    exports._initialize();
    buffer = exports.page_buffer();
    room = exports.page_buffer_size();
    const fed = new Map();
    for (const named of files) {
      fed.set(named, await feed(named, report));
      if (!fed.get(named).read)
        unread.push(named.name);
    }
    const json = exports.page_json();
    if (!json)
      throw new Error('out of memory');
    const answer = JSON.parse(stringAt(json));
    postMessage({answer, unread,
                 lines: await Promise.all(answer.explain.sources.map(source => excerpt(source, files, fed)))});
  } catch (error) {
    postMessage({error: String(error.message || error)});
  }
};
