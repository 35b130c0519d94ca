# SPDX-License-Identifier: MIT
"""Puts the page together: make.py --module WASM --image ISO --story LOG --version V OUTPUT.

The other parts of the page are in this file's folder. The security policy has the hashes of the script and the style, so
the browser accepts no other script or style.
"""

import argparse
import base64
import gzip
import hashlib
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent


def packed(path):
    """Compresses a file without a time stamp, so that equal input gives equal bytes. Returns base64."""
    return base64.b64encode(gzip.compress(Path(path).read_bytes(), 9, mtime=0)).decode()


def inline(name):
    """Reads a file for a script or style element. The file must not contain a closing tag or begin an HTML comment."""
    text = '\n' + (HERE / name).read_text(encoding='utf-8')
    assert not re.search(r'</(script|style)|<!--', text, re.I), name
    return text


def digest(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


parser = argparse.ArgumentParser()
for option in ('module', 'image', 'story', 'version'):
    parser.add_argument('--' + option, required=True)
parser.add_argument('output')
options = parser.parse_args()

style, script = inline('page.css'), inline('page.js')
parts = {
    # blob: is for the worker, which the page makes from its own text. wasm-unsafe-eval is for the module, which the page
    # compiles from its own bytes.
    'policy': f"default-src 'none'; script-src {digest(script)} 'wasm-unsafe-eval'; style-src {digest(style)}; "
              "worker-src blob:; base-uri 'none'; form-action 'none'",
    'version': options.version,
    'style': style,
    'script': script,
    'worker': inline('worker.js'),
    'reader': packed(options.module),
    'story': packed(options.story),
    'image': packed(options.image),
    'image-size': f'{Path(options.image).stat().st_size / 1e3:.0f} kB',
}
page = (HERE / 'page.html').read_text(encoding='utf-8')
Path(options.output).write_text(re.sub(r'\{\{([a-z-]+)\}\}', lambda found: parts[found[1]], page), encoding='utf-8')
