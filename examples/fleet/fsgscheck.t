#!/bin/sh
# SPDX-License-Identifier: MIT
# For prove: the exit status and the lines "not ok" say the same.
exec "${FSGSCHECK:-fsgscheck}" --tap --all-cpus --survival
