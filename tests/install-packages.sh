# SPDX-License-Identifier: MIT
# To be sourced: install_packages NAME... installs what is missing. Silent when nothing is. libdir gives Meson's option
# for where Debian's loader and pkg-config look; Meson itself would have to ask dpkg-dev, and takes lib64 without.

libdir() {
	[ ! -f /etc/debian_version ] || gcc -print-multiarch | sed -n 's,.,--libdir=lib/&,p'
}

install_packages() {
	missing=
	# What another package brings along counts: some builds of nodejs contain npm.
	provided=$(dpkg-query -W -f '${Provides},' | tr ',' '\n' | sed 's/ (.*//; s/ //g')
	for package in "$@"; do
		case $provided in
		*"
$package
"*) continue ;;
		esac
		case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
		installed) ;;
		*) missing="$missing $package" ;;
		esac
	done
	[ -n "$missing" ] || return 0
	sudo=
	if [ "$(id -u)" -ne 0 ]; then
		sudo=$(command -v sudo) || {
			echo "Missing:$missing. Run this as root, or install them by hand." >&2
			return 1
		}
	fi
	echo "Installing:$missing"
	$sudo apt-get update -q >/dev/null
	# One by one when they cannot be had together: what is optional is skipped by its test.
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >/dev/null ||
		for package in $missing; do
			$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$package" >/dev/null ||
				echo "Could not install $package." >&2
		done
}
