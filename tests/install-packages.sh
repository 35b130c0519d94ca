# SPDX-License-Identifier: MIT
# Other scripts source this file for packages_of, install_packages and configure.

# packages_of SUITE... prints the packages of tests/packages that these suites need, and those that every suite needs.
# Without a suite it prints all packages.
packages_of() {
	awk -v suites=" $* " '
		/^# -- / {
			sub(/^# -- /, "")
			sub(/:.*/, "")
			wanted = suites ~ /^ *$/ || $0 == "always"
			for (i = 1; i <= NF; i++)
				wanted = wanted || index(suites, " " $i " ")
			next
		}
		/^[^#]/ && wanted' tests/packages | sort -u
}

# configure DIRECTORY [OPTION...] makes a build directory. If the directory exists, Meson configures it again when options
# are given, or when packages were installed after the last configuration.
configure() {
	directory=$1
	shift
	if [ ! -f "$directory/build.ninja" ]; then
		# Debian's loader and pkg-config search lib/x86_64-linux-gnu. Without --libdir, Meson takes lib64 unless
		# dpkg-dev is installed.
		[ ! -f /etc/debian_version ] || set -- "$@" "$(gcc -print-multiarch | sed -n 's,.,--libdir=lib/&,p')"
		meson setup "$directory" "$@"
	elif [ $# -gt 0 ] || [ /var/lib/dpkg/status -nt "$directory/build.ninja" ]; then
		# Meson keeps the answers of its compiler checks in this file. With the file empty, Meson checks again, and begins
		# with the options of the first setup. The objects and caches in the directory stay. --wipe would remove them.
		: >"$directory/meson-private/coredata.dat"
		meson setup --reconfigure "$directory" "$@" >/dev/null
	fi
}

# install_packages NAME... installs the packages that are missing. It prints nothing if none is missing.

install_packages() {
	missing=
	# A package may be provided by another one: some builds of nodejs contain npm.
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
	# If the packages cannot be installed together, they are installed one by one. The tests
	# that need a missing package are skipped.
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >/dev/null ||
		for package in $missing; do
			$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$package" >/dev/null ||
				echo "Could not install $package." >&2
		done
}
