#!/bin/sh
# SPDX-License-Identifier: MIT
# For prove(1). The exit status agrees with the "not ok" lines.
exec "${FSGSCHECK:-fsgscheck}" --tap --all-cpus --survival
