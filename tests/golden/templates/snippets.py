"""Small templates, one feature each, for make_expected.py."""
CONTEXT = {
    "t": True, "f": False, "n": None, "i": 7, "neg": -3, "big": 9007199254740993, "r": 2.5, "z": 0, "e": "", "s": "Hello World",
    "u": "Straße ΟΔΟΣ ǆ İ ñ", "ws": " \t\n x y \u2003\u00a0 ", "l": [3, 1, 2], "ls": ["b", "A", "c", "a"], "el": [], "ed": {},
    "d": {"a": 1, "b": [1, "x", None, True, 2.0], "items": "shadowed", "c d": {"x": "y"}},
    "rows": [{"n": "x", "v": 2, "k": {"q": [9]}}, {"n": "y", "v": 1}, {"n": "X", "v": 3, "k": {"q": [8]}}],
    "odd": "quote ' and \" \\ \n \x01 \u200b é 🙂", "html": "<a href='x'>&\"</a>", "lines": "one\n\ntwo\r\nthree\u2028four",
    "reals": [1.0, 0.1, 1e16, 1e-5, 123456789.125, 1e22, -0.0, 1.5e300, 100000.0],
}
EXPRESSIONS = """
n ~ t ~ f ~ i ~ r ~ e ~ l ~ d ~ undef
[n, t, f, i, r, s, odd]
(1,) ~ () ~ (1, 'a')
reals
{'a': 1, 2: 'b', none: [], true: {}}
d.a ~ d['a'] ~ d.b[1] ~ d['b'][-1] ~ d.b[9] ~ d.zz
d.items
d.items()
d['items']
d.items() | list
d.keys() | list
d.values() | list | length
d.get('a') ~ d.get('q') ~ d.get('q', 5)
d['c d'].x
undef.x
undef['x']
undef()
undef + 1
1 + undef
'a' ~ undef ~ 'b'
undef | default('x') ~ e | default('y') ~ e | default('z', true) ~ n | default('w') ~ n | default('v', true)
undef is defined ~ n is defined ~ undef is none ~ n is none
undef == undef2 ~ (undef == none) ~ (undef in [undef])
undef | length ~ undef | list ~ undef | upper ~ undef | trim
not undef ~ (undef or 'o') ~ (undef and 'a')
undef < 1
undef in l
1 in undef
3 in l ~ (9 in l) ~ ('H' in s) ~ ('zz' not in s) ~ ('a' in d) ~ ('zz' in d)
1 in s
1 in i
1 + 2 * 3 - 4 / 2
7 // 2 ~ ' ' ~ (-7 // 2) ~ ' ' ~ 7 % 3 ~ ' ' ~ (-7 % 3) ~ ' ' ~ (7 % -3) ~ ' ' ~ -7.5 // 2 ~ ' ' ~ -7.5 % 2 ~ ' ' ~ 7.5 % -2
2 ** 10 ~ ' ' ~ 2 ** -1 ~ ' ' ~ 2 ** 0.5 ~ ' ' ~ -2 ** 2
1 / 0
1 % 0
4 / 2 ~ 5 // 2.0
t + 1 ~ t * 3 ~ -t
'a' * 3 ~ 2 * 'b' ~ 'x' * -1
l * 2 + [4]
(1, 2) + (3,)
l + (1,)
'a' + 1
1 + 'a'
'a' - 'b'
n + n
1 < 2 < 3
1 < 3 < 2
1 == 1.0 == true
'a' < 'b' ~ ('Z' < 'a') ~ ([1, 2] < [1, 3]) ~ ('é' > 'z')
1 < 'a'
l < 1
[1, 2] == [1, 2] ~ ([1] == (1,)) ~ ({'a': 1, 'b': 2} == {'b': 2, 'a': 1}) ~ ('1' == 1) ~ (none == false) ~ (0 == false)
big == 9007199254740992.0
not t or t and f
(t and 'yes' or 'no') ~ (f and 'yes' or 'no')
not (1 in l) ~ (not 1 in l)
'A' if t else 'B'
'A' if f
('A' if f) is defined
'a' if f else 'b' if f else 'c'
s[0] ~ s[-1] ~ s[1:4] ~ s[::-1] ~ s[-3:] ~ s[:-3] ~ s[::2] ~ s[10:2:-2] ~ s[99:]
u[0:7] ~ u[-1] ~ u[::-1]
l[1:] ~ l[::-1] ~ l[:0] ~ l[-2:] ~ l[5:] ~ l[-99:99:2]
l[::0]
l[1.5]
l['a']
n[1:]
n['x']
n.x
i[1:]
undef[1:]
d[1:]
i.x ~ i[0]
s.nope
s.upper() ~ s.lower() ~ u.upper() ~ '|' ~ u.lower() ~ '|' ~ u.title() ~ '|' ~ u.capitalize()
"it's o'clock".title() ~ ('x-y (z) {w [v' | title) ~ ("it's o'clock" | title)
'ΑΣ ΑΣΑ Σ ΑΣ.' .lower()
s | upper ~ s | lower ~ s | capitalize ~ u | title
ws.strip() ~ '|' ~ ws.lstrip() ~ '|' ~ ws.rstrip() ~ '|' ~ ws | trim
'xxabcxx'.strip('x') ~ 'éaé'.strip('é') ~ 'abc'.strip('') ~ 'aXbX'.rstrip('X') ~ '\\n\\na'.lstrip('\\n') ~ 'zaz' | trim('z')
s.split() ~ s.split('o') ~ s.split('o', 1) ~ s.split('zz') ~ ''.split() ~ ''.split('x') ~ '  a  b '.split()
' a  b c '.split(none, 1) ~ ' a  b c '.rsplit(none, 1) ~ 'a.b.c'.rsplit('.', 1) ~ 'a.b.c'.split('.', maxsplit=1)
s.split('')
s.startswith('He') ~ s.endswith('ld') ~ s.startswith('x') ~ s.startswith(('x', 'H')) ~ s.endswith('')
s.startswith(1)
s.replace('o', '0') ~ s.replace('o', '0', 1) ~ 'ab'.replace('', '-') ~ s | replace('l', 'L') ~ s | replace('l', 'L', 1) ~ 'aé' | replace('', '.')
12345 | replace(3, 'x')
s.find('o') ~ s.find('q') ~ s.rfind('o') ~ u.find('Σ') ~ s.count('l') ~ s.count('') ~ s.index('W')
s.index('q')
s.partition(' ') ~ s.rpartition('o') ~ s.partition('q')
s.removeprefix('He') ~ s.removesuffix('ld') ~ s.removeprefix('x')
lines.splitlines()
', '.join(ls) ~ ls | join ~ ls | join('-') ~ [1, none, true, 2.0] | join(',') ~ 'abc' | join('.') ~ rows | join(',', attribute='n')
' '.isspace() ~ ''.isspace() ~ 'a'.isspace()
s | length ~ u | length ~ l | length ~ d | length ~ e | count
i | length
n | length
l | first ~ l | last ~ s | first ~ u | last ~ d | first ~ el | first ~ (el | last)
l | sort ~ ls | sort ~ ls | sort(case_sensitive=true) ~ l | sort(reverse=true) ~ (rows | sort(attribute='v') | map(attribute='n') | list)
[1, 'a'] | sort
l | reverse | list ~ s | reverse ~ d | list
l | min ~ l | max ~ ls | min ~ el | max ~ l | sum ~ rows | sum(attribute='v') ~ ls | max
ls | unique | list ~ ['a', 'A', 'b', 1, 1.0, true] | unique | list
rows | map(attribute='n') | list ~ rows | map(attribute='k.q.0') | list
rows | map(attribute='k.q.0', default='-') | list
rows | map(attribute='k', default='-') | list
ls | map('upper') | list ~ ls | map('replace', 'b', 'B') | join
rows | selectattr('k') | map(attribute='n') | list ~ rows | selectattr('v', 'equalto', 2) | map(attribute='n') | list
rows | selectattr('v', '>', 1) | list | length ~ rows | rejectattr('k', 'defined') | map(attribute='n') | list
rows | selectattr('n', 'in', ['x', 'y']) | list | length
[0, 1, '', none, 'a'] | select | list ~ [1, 'a', none] | select('string') | list ~ l | reject('odd') | list ~ l | select('>', 1) | list
rows | map(attribute='n')
rows | map(attribute='n') | length
rows | map(attribute='n') | tojson
d | items | list ~ undef | items | list ~ d | dictsort
s | items | list
'12' | int ~ ' -7 ' | int ~ 'x' | int ~ 'x' | int(5) ~ 3.9 | int ~ '3.9' | int ~ t | int ~ n | int ~ '1_000' | int ~ -3.9 | int
'1.5' | float ~ 'x' | float ~ 3 | float ~ '1e3' | float ~ n | float(2.0)
2.5 | round ~ 3.5 | round ~ 2.675 | round(2) ~ 2.1 | round(method='ceil') ~ 2.9 | round(0, 'floor') ~ 42 | round ~ -2.5 | round
-5 | abs ~ (-5) | abs ~ 2.5 | abs
i | string ~ n | string ~ r | string | length
html | e ~ html | escape ~ html | safe
lines | indent ~ '/' ~ lines | indent(2, true) ~ '/' ~ lines | indent('> ', blank=true) ~ '/' ~ '' | indent ~ '/' ~ 'x\\n' | indent
d | tojson
d | tojson(indent=2)
d | tojson(indent=0)
[[], {}, [[]], {'a': {}}] | tojson(indent=4)
d | tojson(separators=(',', ':'))
d | tojson(indent='\\t', sort_keys=true)
{'b': 1, 'a': {'z': 1, 'y': 2}} | tojson(sort_keys=true)
odd | tojson ~ odd | tojson(ensure_ascii=true) ~ html | tojson
reals | tojson ~ n | tojson ~ t | tojson ~ big | tojson ~ (1, 2) | tojson
{1: 'a', none: 'b', true: 'c', 2.5: 'd'} | tojson
undef | tojson
'nan' | float | tojson
i is number ~ t is number ~ s is number ~ i is integer ~ t is integer ~ r is float ~ r is integer
s is string ~ i is string ~ l is iterable ~ s is iterable ~ i is iterable ~ d is mapping ~ l is mapping ~ undef is iterable
l is sequence ~ s is sequence ~ d is sequence ~ (rows | map('upper')) is sequence ~ undef is sequence ~ n is sequence
t is boolean ~ i is boolean ~ t is true ~ t is false ~ f is false ~ 1 is true ~ n is none ~ n is not none
i is odd ~ i is even ~ i is divisibleby 7 ~ i is divisibleby(2) ~ i is eq 7 ~ i is equalto(7) ~ i is ne 7 ~ i is gt 3 ~ i is lt 3
1 is in l ~ (9 is in [1]) ~ (9 is not in [1]) ~ n is sameas none ~ t is sameas t
s is odd
range(3) | list ~ range(1, 7, 2) | list ~ range(3, 0, -1) | list ~ range(5)[1] ~ range(5) | length
range(0, 5, 0)
range(1000000)
dict(a=1, b=2) ~ dict({'x': 1}, y=2)
namespace(a=1).a
namespace(_a=1)
strftime_now('%d %b %Y') ~ strftime_now('%Y-%m-%d %H:%M:%S %A %j %%')
raise_exception('no')
l.append(4)
d.update({'a': 2})
d.pop
l.count(1) ~ l.index(2) ~ (1, 2).index(2)
'a' 'b' "c"
"tab\\tnew\\nx\\x41\\u00e9\\U0001F642 \\'\\" \\q \\101 \\\\"
'multi
line'
0x1F ~ 0b101 ~ 0o17 ~ 1_000 ~ 1e3 ~ 1.5e-7 ~ 00 ~ 1_0.2_5
012
[1, 2,] ~ {'a': 1,} ~ (1, 2,)
(1)
1, 2
d.b.3
rows[0].k.q.0
s is string and i is number or f
i is defined and not undef is defined
- i ~ +i ~ - - i
-i | abs
s | upper | lower | trim | length
(s | upper)[0:3]
s.split(' ')[0].lower().replace('h', 'j')
d.a.b.c
messages | nofilter
i is notest
1 +
(1
[1, 2
{'a' 1}
'open
a b
i | default
'%s' % 'x'
'x'.format(1)
'' == e ~ not e ~ not el ~ not ed ~ not z ~ not 0.0 ~ not ' ' ~ not [0]
{}['x'] ~ {}.x
d.b is iterable and d.b is not mapping and d.b is not string
loop
"a" ~ 1 + 2 ~ "b"
1 ~ 2 * 3
'a' in 'abc' == true
""".strip("\n")
STATEMENTS = [
    "a\n{% if t %}\nb\n{% endif %}\nc\n", "  {% if t %}  x  {% endif %}  y", "a \n {%- if t -%} \n b \n {%- endif -%} \n c",
    "a\n  {%+ if t %}\n  b\n  {% endif +%}\nc", "x{# comment #}y\n  {# line #}\nz{#- strip -#}  w", "{# a\nb #}\n\nx",
    "{{ s }}\n", "{{ s }}\n\n", "{{ s -}}\n  x", "x  {{- s }}", "x  {{+ s }}", "\r\na\r\nb\rc\r\n", "  {{ s }}  ", "\n{% set a = 1 %}\n{{ a }}",
    "{% raw %}{{ x }} {% if %}{% endraw %}y", "{%- raw -%}  {{ x }}  {%- endraw -%}  y", "  {% raw %}\n a\n  {% endraw %}\nb", "{% raw %}x",
    "{# open", "{{ open", "{% if t %}", "{% endif %}", "{% if t %}a{% endfor %}", "{% unknown %}", "{{ }}", "{% %}", "{{ '}}' }}{{ {'a': {'b': 1}} }}",
    "{{ '{%' }}{{ \"#}\" }}", "{ {", "{", "a{b}c%}d}}e#}", "{{ 1 }}{", "", "\n", "\n\n", " ",
    "{% if f %}1{% elif z %}2{% elif i %}3{% else %}4{% endif %}", "{% if undef %}1{% else %}2{% endif %}", "{% if f, %}1{% endif %}",
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ x }};{% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }}{% endfor %}", "{% for x in l %}{{ loop.nope is defined }}{% endfor %}",
    "{% for x in el %}a{% else %}none{% endfor %}", "{% for x in undef %}a{% else %}u{% endfor %}", "{% for x in n %}{% endfor %}", "{% for x in i %}{% endfor %}",
    "{% for c in 'aé🙂' %}[{{ c }}]{% endfor %}", "{% for k in d %}{{ k }},{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }},{% endfor %}",
    "{% for k, v in d | items %}{{ k }}:{{ loop.last }};{% endfor %}", "{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a, b in [[1, 2, 3]] %}{% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index }}:{{ x }}/{{ loop.length }} {% else %}no{% endfor %}", "{% for x in l if x > 9 %}{% else %}no{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% break %}",
    "{% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }}{{ loop.depth }} {% endfor %}{{ loop.index }}{% endfor %}",
    "{% set x = 1 %}{% for y in l %}{% set x = y %}{{ x }}{% endfor %}{{ x }}", "{% for y in l %}{{ x }}{% set x = y %}{% endfor %}{{ x is defined }}",
    "{% if t %}{% set q = 5 %}{% endif %}{{ q }}", "{% set a, b = 1, 2 %}{{ b }}{{ a }}", "{% set a = 1, 2 %}{{ a }}", "{% set (a, b) = [3, 4] %}{{ a }}{{ b }}",
    "{% set ns = namespace(c=0) %}{% for x in l %}{% set ns.c = ns.c + x %}{% endfor %}{{ ns.c }}{{ ns.zz is defined }}", "{% set d.a = 5 %}", "{% set undef.a = 5 %}",
    "{% set ns = namespace() %}{% set ns.x = [] %}{% set ns.x = ns.x + [1] %}{{ ns.x }}{{ ns['x'] }}", "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}", "{% set ns = namespace(a=1) %}{% set ns._p = 1 %}",
    "{% set b %}  x {{ i }} {% endset %}[{{ b }}]{{ b | length }}", "{% set b | trim | upper %}  x {{ s }} {% endset %}[{{ b }}]",
    "{% macro m(a, b=2, c=i) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}|{{ m(1, 3) }}|{{ m(c=9, a=0) }}|{{ m() }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}", "{% macro m() %}{{ later }}{% endmacro %}{% set later = 1 %}{{ m() }}", "{% for x in l %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}",
    "{% macro m(k) %}{% if k > 0 %}{{ k }}{{ m(k - 1) }}{% endif %}{% endmacro %}{{ m(4) }}", "{% macro m() %}{% set x = 1 %}{% endmacro %}{{ m() }}{{ x is defined }}", "{% macro m() %} a {% endmacro %}{{ m() | trim ~ m() | length }}",
    "{% macro m() %}{% set ns.a = 2 %}{% endmacro %}{% set ns = namespace(a=1) %}{{ m() }}{{ ns.a }}", "{% macro m(a, b) %}{{ b is defined }}{% endmacro %}{{ m(1) }}",
    "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}", "{% set a = 0 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}", "{% filter upper | trim %} a {{ s }} {% endfilter %}", "{% filter replace('a', 'b') %}aaa{% endfilter %}",
    "{% generation %}x{{ i }}{% endgeneration %}y", "a\n  {% generation %}\nx\n  {% endgeneration %}\nb",
    "{%- for m in rows[::-1] %}{%- set idx = (rows|length - 1) - loop.index0 %}{{ idx }}{{ m.n }}{%- endfor %}", "{% for x in range(3) %}{{ x }}{% endfor %}", "{% set rows = rows[1:] %}{{ rows | length }}{{ rows[0].n }}",
    "{% set g = rows | map(attribute='n') %}{{ g | list }}{{ g | list }}", "{% set g = rows | map(attribute='n') %}{% if g %}yes{% endif %}{{ g | first }}", "{{ loop }}", "{% for loop in l %}{% endfor %}", "{% set true = 1 %}", "{% set 1 = 1 %}", "{% for x in l recursive %}{{ x }}{% endfor %}",
    "{%if t%}a{%endif%}", "{{s}}{{-s-}}{{i}}", "{%- if t %}\n\n a{% endif -%}\n\n b", "x\n\n  {%- set a = 1 %}\n\ny", "x\n    {% set a = 1 %}   \ny", "{% if t %}{% raw %}{% endif %}{% endraw %}{% endif %}",
    "{% set x = 'a' if f else 'b' %}{{ x }}", "{% for x in (l if t else el) %}{{ x }}{% endfor %}", "{% if t if f else t %}{% endif %}", "{{ s if t }}{{ s if f }}",
]
SNIPPETS = ["{{ " + line + " }}" for line in EXPRESSIONS.replace("'multi\nline'", "'multi\x00line'").split("\n")]
SNIPPETS = [s.replace("\x00", "\n").replace("\\\\", "\\") for s in SNIPPETS] + STATEMENTS
