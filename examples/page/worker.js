// SPDX-License-Identifier: MIT
// Reads files with the WebAssembly module, so that the page stays responsive. Each reading has its own worker, which
// the page ends to cancel.
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

// Feeds one file. Returns its encoding; for each buffer, the number of lines that ended before it, and the CR or LF whose
// second half may follow, to find a line again; and whether the whole file could be read.
async function feed({file, name: text}, report) {
  const name = new TextEncoder().encode(text);
  const marks = [];
  let read = true, ended = 0;
  memory(buffer, name.length).set(name);
  exports.page_file(name.length);
  try {
    // A folder, and a file that is gone, look like an empty file until the whole is read.
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

// The wanted lines of a file, by their numbers from 1. Zero bytes are dropped, as the reader does: otherwise the ends of
// lines would not be the same.
async function fetchLines(file, {encoding, marks}, wanted) {
  const lines = {};
  let last = null;
  for (const number of [...wanted].sort((a, b) => a - b)) {
    // The last mark that the line cannot have begun before, so the line begins in that buffer.
    const from = marks.findLast(mark => mark.lines < number - 1) || marks[0];
    if (from === last)
      continue;
    last = from;
    let text = new TextDecoder(encoding, {ignoreBOM: from.at > 0})
      .decode(await file.slice(from.at, from.at + 2 * room).arrayBuffer()).replaceAll('\0', '');
    if (text[0] === SECOND_HALVES[from.ended])
      text = text.slice(1);
    text.split(/\r\n|\n\r|\n|\r/).forEach((line, i, all) => {
      // The first may be the end of a line. Nothing follows the end of the last line.
      if ((i || !from.at) && wanted.has(from.lines + 1 + i) && (line || i < all.length - 1))
        lines[from.lines + 1 + i] = line.slice(0, LONGEST);
    });
  }
  return lines;
}

// The lines that a source rests on, and those around them.
async function excerpt(source, files, fed) {
  // The second machine of a file has its line in its name.
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
