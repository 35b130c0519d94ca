# SPDX-License-Identifier: MIT
# A validator for the part of JSON Schema that doc/fsgscheck.schema.json uses. Prints the paths at which a document
# breaks the schema.
#   jq --slurpfile schema doc/fsgscheck.schema.json -f schema.jq REPORT
def is($name): if $name == "integer" then type == "number" and floor == . else type == $name end;
def broken($s; $at):
  . as $value
  | if $s["$ref"] then broken($schema[0].definitions[$s["$ref"] | ltrimstr("#/definitions/")]; $at) else
      (if $s | has("const") then select($value != $s.const) | $at else empty end),
      (if $s.enum then select($s.enum | index([$value]) | not) | $at else empty end),
      (if $s.type then select([$s.type] | flatten | any(. as $t | $value | is($t)) | not) | $at else empty end),
      (if $s.minimum and ($value | type) == "number" then select($value < $s.minimum) | $at else empty end),
      (if ($value | type) == "object" and $s.properties then
         (($s.required // [])[] | select(. as $key | $value | has($key) | not) | "\($at).\(.)"),
         ($value | keys[] | . as $key
          | if $s.properties | has($key) then $value[$key] | broken($s.properties[$key]; "\($at).\($key)")
            elif $s.additionalProperties == false then "\($at).\($key)" else empty end)
       else empty end),
      (if ($value | type) == "array" and $s.items then
         range($value | length) | . as $i | $value[$i] | broken($s.items; "\($at)[\($i)]")
       else empty end)
    end;
[broken($schema[0]; "")]
