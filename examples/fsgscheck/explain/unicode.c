/* SPDX-License-Identifier: MIT */
/* Unicode characters that a transport, a typesetter or a keyboard uses in place of ASCII. */
#include "explain.h"

uint32_t explain_plain(uint32_t code)
{
	/* Ranges (UnicodeData.txt), in order; `is` is 0 if the character is dropped. */
	static const struct {
		uint16_t from, to;
		char is;
	} table[] = {
		{0x0085, 0x0085, '\n'},                      /* next line */
		{0x00a0, 0x00a0, ' '},                       /* no-break space */
		{0x00ab, 0x00ab, '<'},  {0x00ad, 0x00ad, 0}, /* soft hyphen */
		{0x00bb, 0x00bb, '>'},  {0x1680, 0x1680, ' '},    {0x180e, 0x180e, 0},
		{0x2000, 0x200a, ' '}, /* en quad to hair space */
		{0x200b, 0x200f, 0},   /* zero width; direction marks */
		{0x2010, 0x2013, '-'},  {0x2018, 0x201b, '\''},   {0x201c, 0x201f, '"'},
		{0x2028, 0x2029, '\n'}, {0x202a, 0x202e, 0},      {0x202f, 0x202f, ' '},
		{0x2039, 0x2039, '<'},  {0x203a, 0x203a, '>'},    {0x205f, 0x205f, ' '},
		{0x2060, 0x206f, 0},    {0x21aa, 0x21aa, '>'}, /* mark of a wrapped line */
		{0x21b3, 0x21b3, '>'},  {0x2212, 0x2212, '-'},    {0x2329, 0x2329, '<'},
		{0x232a, 0x232a, '>'},  {0x241b, 0x241b, '\033'}, /* the picture of ESC */
		{0x2502, 0x2503, '|'},  {0x2551, 0x2551, '|'},    {0x27e8, 0x27e8, '<'},
		{0x27e9, 0x27e9, '>'},  {0x3000, 0x3000, ' '},    {0x3008, 0x3008, '<'},
		{0x3009, 0x3009, '>'},  {0x300a, 0x300a, '<'},    {0x300b, 0x300b, '>'},
		{0xfeff, 0xfeff, 0}, /* byte order mark */
	};

	if (code >= 0xff01 && code <= 0xff5e) /* full width */
		return code - 0xff01 + '!';
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (code >= table[i].from && code <= table[i].to)
			return (unsigned char)table[i].is;
	return code;
}

/* As explain_plain(), for a byte that is not valid UTF-8. Such a byte is read as ISO 8859-1,
 * except for the two angle quotation marks of Windows-1252. */
uint32_t explain_plain_byte(unsigned char byte)
{
	return byte == 0x8b ? '<' : byte == 0x9b ? '>' : explain_plain(byte);
}
