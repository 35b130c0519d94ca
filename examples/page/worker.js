// SPDX-License-Identifier: MIT
// Reads files with the WebAssembly module, so that the page stays responsive. Each reading has its own worker, which
// the page ends to cancel.
'use strict';

const LONGEST = 1 << 16;    // maximum number of characters of a line
const AROUND = 1;           // lines before and after an important line

let exports, buffer, room;

function memory(at, length) {
  return new Uint8Array(exports.memory.buffer, at, length);
}

function stringAt(at) {
  const all = new Uint8Array(exports.memory.buffer);
  return new TextDecoder().decode(all.subarray(at, all.indexOf(0, at)));
}

// Feeds one file. Returns, for each buffer, the number of lines that ended before it, to find a line again; and whether
// the whole file could be read.
async function feed(file, report) {
  const name = new TextEncoder().encode(file.name);
  const marks = [];
  let read = true;
  memory(buffer, name.length).set(name);
  exports.page_file(name.length);
  try {
    // A folder may look like an empty file until it is read.
    for (let at = 0, lines = 0; at < file.size || at === 0; at += room) {
      const bytes = new Uint8Array(await file.slice(at, at + room).arrayBuffer());
      marks.push({at, lines});
      memory(buffer, bytes.length).set(bytes);
      lines = exports.page_feed(bytes.length);
      report(bytes.length);
    }
  } catch (error) {
    if (!(error instanceof DOMException))
      throw error;
    read = false;
  }
  exports.page_end_file(read);
  return {marks, read};
}

// UTF-16 by its mark, or by the zeros of its ASCII.
async function encoding(file) {
  const head = new Uint8Array(await file.slice(0, 512).arrayBuffer());
  const zeros = [0, 0];
  if (head[0] === 0xff && head[1] === 0xfe)
    return 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff)
    return 'utf-16be';
  head.forEach((byte, i) => zeros[i & 1] += byte === 0);
  if (zeros[1] > head.length / 4)
    return 'utf-16le';
  return zeros[0] > head.length / 4 ? 'utf-16be' : 'utf-8';
}

// The wanted lines of a file, by their numbers from 1.
async function fetchLines(file, marks, wanted) {
  const decoder = await encoding(file);
  const lines = {};
  let last = -1;
  for (const number of [...wanted].sort((a, b) => a - b)) {
    const begun = marks.filter(mark => mark.lines < number).length - 1;
    if (begun === last || begun < 0)
      continue;
    last = begun;
    // A line may begin in one buffer and end in the next; so may an end of two characters.
    const from = marks[Math.max(0, begun - 1)], to = marks[begun].at + 2 * room, before = Math.min(from.at, 2);
    let text = new TextDecoder(decoder, {ignoreBOM: true}).decode(await file.slice(from.at - before, to).arrayBuffer());
    if (before)
      text = text.slice(/^(\r\n|\n\r)/.test(text) ? 2 : before / (decoder === 'utf-8' ? 1 : 2));
    text.split(/\r\n|\n\r|\n|\r/).forEach((line, i, all) => {
      // Nothing follows the end of the last line.
      if (wanted.has(from.lines + 1 + i) && (line || i < all.length - 1))
        lines[from.lines + 1 + i] = line.slice(0, LONGEST);
    });
  }
  return lines;
}

// The lines that a source rests on, and those around them.
async function excerpt(source, files, marks) {
  // The second machine in a file has its line number in its name.
  const file = files.find(({name}) => name === source.name || `${name}:${source.line}` === source.name) ||
    (files.length === 1 && files[0]);
  const wanted = new Set();
  if (!file)
    return {};
  for (const line of Object.values(source.lines))
    for (let number = Math.max(1, line - AROUND); number <= line + AROUND; number++)
      wanted.add(number);
  return fetchLines(file, marks.get(file), wanted).catch(() => ({}));
}

onmessage = async ({data: {reader, files}}) => {
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const unread = [];
  let done = 0;
  const report = size => postMessage({done: done += size, total});
  try {
    exports = (await WebAssembly.instantiate(reader, {})).instance.exports;
    exports._initialize();
    buffer = exports.page_buffer();
    room = exports.page_buffer_size();
    const marks = new Map();
    for (const file of files) {
      const fed = await feed(file, report);
      marks.set(file, fed.marks);
      if (!fed.read)
        unread.push(file.name);
    }
    const json = exports.page_json();
    if (!json)
      throw new Error('out of memory');
    const answer = JSON.parse(stringAt(json));
    postMessage({answer, unread,
                 lines: await Promise.all(answer.explain.sources.map(source => excerpt(source, files, marks)))});
  } catch (error) {
    postMessage({error: String(error.message || error)});
  }
};
