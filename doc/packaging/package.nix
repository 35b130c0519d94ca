# SPDX-License-Identifier: MIT
# Checked in part: the test install-nix lets nix-instantiate evaluate this recipe with stand-ins for the packages of Nixpkgs.
# Nix has not built the package.
#
#   nix-build -E 'with import <nixpkgs> {}; callPackage doc/packaging/package.nix {}'
{ lib, stdenv, meson, ninja, pkg-config, python3 }:

stdenv.mkDerivation {
  pname = "libfsgscheck";
  version = "1.0.0";
  src = ../..;
  nativeBuildInputs = [ meson ninja pkg-config python3 ];
  # Without the boot images and the page: they need clang, GRUB and WASI.
  mesonFlags = [
    "-Dtests=disabled"
    "-Ddocs=disabled"
    "-Dboot-elf=disabled"
    "-Dboot-efi=disabled"
    "-Dboot-iso=disabled"
    "-Dpage=disabled"
    "-Dwindows=disabled"
    "-Dsymbols=disabled"
  ];
  meta = {
    description = "Whether the FSGSBASE instructions can really be used";
    license = lib.licenses.mit;
    platforms = lib.platforms.linux;
    mainProgram = "fsgscheck";
  };
}
