using System.Text.Json;
using Ashlar.Tokenizers;

namespace Ashlar.Tests.Tokenizers;

/// <summary>Templates against what Jinja and Python give, worked out from their documentation.</summary>
public class ChatTemplateTests
{
    static string Render(string template, object? value = null, TemplateLimits? limits = null) =>
        ChatTemplate.Parse(template).Render(new Dictionary<string, object?>
        {
            ["x"] = value is string json && json.StartsWith('\u0001') ? JsonDocument.Parse(json[1..]).RootElement : value,
            ["messages"] =
                JsonDocument.Parse("""[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes?"}]""").RootElement,
        }, limits, new(2025, 7, 4, 9, 5, 3, TimeSpan.Zero));

    [Theory]
    // white space: trim_blocks takes the end of the line behind a tag, lstrip_blocks the blanks before one
    [InlineData("a\n  {% if true %}\n  b\n  {% endif %}\nc", "a\n  b\nc")]
    [InlineData("a\n  {{ 1 }}\n", "a\n  1")]
    [InlineData("a {%- if true -%} b {%- endif -%} c", "abc")]
    [InlineData("a  {%+ if true %}\nb{% endif %}", "a  b")]
    [InlineData("  {%+ if true %}b{% endif +%}\nc", "  b\nc")]
    [InlineData("{{ 1 -}}\n  {{- 2 }}", "12")]
    [InlineData("a{# no #}\nb", "ab")]
    [InlineData("a\r\nb", "a\nb")]
    [InlineData("{% raw %}{{ x }}{% endraw %}", "{{ x }}")]
    // numbers and texts
    [InlineData("{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 4 / 2 }} {{ 2 ** 10 }}", "3 -4 2 3.5 2.0 1024")]
    [InlineData("{{ 1e16 }} {{ 0.00001 }} {{ 1.5e300 }} {{ 22.0 }} {{ 0.1 + 0.2 }} {{ -0.0 }}",
        "1e+16 1e-05 1.5e+300 22.0 0.30000000000000004 -0.0")]
    [InlineData("{{ none }} {{ true }} {{ 1 == 1.0 }} {{ true == 1 }} {{ '1' == 1 }}", "None True True True False")]
    [InlineData("{{ 'a' ~ 1 ~ none }} {{ 'ab' * 2 }} {{ 'a' 'b' }}", "a1None abab ab")]
    [InlineData("{{ 'a\\nb\\x41\\u00e9\\q' }}", "a\nbAé\\q")]
    [InlineData("{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'b' > 'a' }} {{ [1, 2] < [1, 3] }}", "True False True True")]
    [InlineData("{{ 'x' in 'xyz' }} {{ 1 not in [2] }} {{ 'k' in {'k': 1} }}", "True True True")]
    [InlineData("{{ 0 or 'b' }} {{ 'a' and '' }}| {{ not [] }} {{ 'y' if 0 else 'n' }} {{ 'y' if 0 }}|", "b | True n |")]
    [InlineData("{{ -2|abs }} {{ 1 + 2 * 3 - 4 }} {{ '%s-%d-%.2f' % ['a', 3, 1.5] }} {{ '{} {1}'.format(1, 2) }}",
        "2 3 a-3-1.50 1 2")]
    // parts
    [InlineData(
        "{{ 'abcdef'[1:4] }} {{ 'abcdef'[::-1] }} {{ 'abc'[-1] }} {{ 'abcdef'[-2:] }} {{ 'abcdef'[::2] }} {{ 'abc'[5:] }}|",
        "bcd fedcba c ef ace |")]
    [InlineData("{{ [1, 2, 3][::-1] }} {{ [1, 2, 3][:-1] }} {{ [1, 2, 3][-100:1] }} {{ (1, 2)[0] }} {{ [1, 2, 3][2:0:-1] }}",
        "[3, 2, 1] [1, 2] [1] 1 [3, 2]")]
    [InlineData("{{ '\ud83d\ude00b'|length }} {{ '\ud83d\ude00b'[1] }} {{ '\ud83d\ude00b'[::-1] }}", "2 b b\ud83d\ude00")]
    // methods
    [InlineData("{{ ' a b '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'a,b,c'.split(',', 1) }}|{{ ' a  b '.split() }}",
        "a b|a|[\"a\", \"b,c\"]|[\"a\", \"b\"]")]
    [InlineData(
        "{{ 'a.b.c'.rsplit('.', 1)[0] }} {{ 'aXb'.lower() }} {{ 'ab'.title() }} {{ \"they're\".title() }} {{ 'abc'.find('c') }} {{ 'aa'.replace('a', 'b', 1) }}", "a.b axb Ab They'Re 2 ba")]
    [InlineData(
        "{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} {{ ','.join(['a', 'b']) }} {{ 'a\nb'.splitlines() }} {{ 'ab'.upper() }}", "True True a,b [\"a\", \"b\"] AB")]
    [InlineData("{{ {'a': 1}.get('b', 2) }} {{ {'a': 1}.items() }} {{ {'b': 1, 'a': 2}.keys()|list }}",
        "2 [[\"a\", 1]] [\"b\", \"a\"]")]
    [InlineData(
        "{{ '7'.zfill(3) }} {{ 'a'.ljust(3) }}| {{ 'a-b'.partition('-') }} {{ 'abc'.removeprefix('ab') }} {{ '12'.isdigit() }}",
        "007 a  | [\"a\", \"-\", \"b\"] c True")]
    // filters
    [InlineData(
        "{{ [3, 1, 2]|sort|join(',') }} {{ ['b', 'A']|sort }} {{ [1, 2]|first }} {{ [1, 2]|last }} {{ [1, 2]|sum }} {{ 'abc'|reverse }}", "1,2,3 [\"A\", \"b\"] 1 2 3 cba")]
    [InlineData(
        "{{ y|default('d') }} {{ ''|default('d', true) }} {{ none|default('d') }} {{ '5'|int + 1 }} {{ 'z'|int }} {{ '1.5'|float }} {{ 3.7|round }} {{ 2.5|round|int }}", "d d None 6 0 1.5 4.0 2")]
    [InlineData(
        "{{ messages|map(attribute='role')|join(' ') }} {{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|list }} {{ messages|rejectattr('role', 'in', ['user'])|list|length }}", "user assistant [\"Hi\"] 1")]
    [InlineData(
        "{{ ['a', 'b']|map('upper')|join }} {{ [1, 2, 3, 4]|select('even')|list }} {{ [0, 1]|reject|list }} {{ [1, 1, 2]|unique|list }}", "AB [2, 4] [0] [1, 2]")]
    [InlineData("{{ 'a\nb\n\nc'|indent(2) }}", "a\n  b\n\n  c")]
    [InlineData(
        "{{ 'hello world'|title }} {{ 'hELLO'|capitalize }} {{ 'a b'|replace(' ', '_') }} {{ ' a '|trim }} {{ 'abc'|length }} {{ '<'|e }}", "Hello World Hello a_b a 3 &lt;")]
    [InlineData(
        "{% for k, v in {'b': 2, 'a': 1}|dictsort %}{{ k }}{{ v }}{% endfor %} {% for g in messages|groupby('role') %}{{ g[0] }}{% endfor %}", "a1b2 assistantuser")]
    [InlineData("{% filter upper %}a{{ 'b' }}{% endfilter %} {{ [1, 2, 3]|batch(2)|list }} {{ 'x'|string ~ 1|string }}",
        "AB [[1, 2], [3]] x1")]
    // JSON, as transformers sets it
    [InlineData("{{ {'a': [1, 2.0, true, none], 'é': '\\\"<\\n'}|tojson }}",
        "{\"a\": [1, 2.0, true, null], \"é\": \"\\\"<\\n\"}")]
    [InlineData("{{ {'a': [1], 'b': {}}|tojson(indent=2) }}", "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}")]
    [InlineData("{{ {'b': 1, 'a': 2}|tojson(separators=(',', ':'), sort_keys=true) }} {{ 'é'|tojson(ensure_ascii=true) }}",
        "{\"a\":2,\"b\":1} \"\\u00e9\"")]
    // tests
    [InlineData(
        "{{ x is none }} {{ y is defined }} {{ y is undefined }} {{ 1 is number }} {{ 'a' is string }} {{ {} is mapping }} {{ [] is iterable }} {{ 3 is odd }} {{ 4 is divisibleby 2 }} {{ 1 is not none }}", "True False True True True True True True True True")]
    // loops
    [InlineData("{% for i in range(3) %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}", "1/3,2/3,3/3")]
    [InlineData("{% for i in [1, 2, 3] %}{{ loop.previtem|default('-') }}{{ loop.nextitem|default('-') }} {% endfor %}",
        "-2 13 2- ")]
    [InlineData(
        "{% for i in range(10) if i is even %}{% if i == 6 %}{% break %}{% endif %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}", "04")]
    [InlineData("{% for i in [] %}a{% else %}none{% endfor %}", "none")]
    [InlineData("{% for i in [1, 2, 1] %}{{ loop.cycle('a', 'b') }}{{ loop.revindex0 }}{{ loop.changed(i) }}{% endfor %}",
        "a2Trueb1Truea0True")]
    [InlineData("{% for n in [{'v': 1, 'c': [{'v': 2, 'c': []}]}] recursive %}{{ n.v }}({{ loop(n.c) }}){% endfor %}", "1(2())")]
    [InlineData("{{ range(5, 0, -2)|list }} {{ range(0)|list }}", "[5, 3, 1] []")]
    // names: a loop has its own, an 'if' has not; a namespace keeps values
    [InlineData(
        "{% set a = 1 %}{% for i in [1] %}{% set a = 2 %}{% endfor %}{% if true %}{% set b = 3 %}{% endif %}{{ a }}{{ b }}",
        "13")]
    [InlineData("{% set ns = namespace(a=1) %}{% for i in [1, 2] %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}", "4")]
    [InlineData(
        "{% set a, b = 1, 2 %}{{ b }}{{ a }}{% set c %}x{{ a }}{% endset %}{{ c|upper }}{% with d = 5 %}{{ d }}{% endwith %}",
        "21X15")]
    // macros
    [InlineData(
        "{% macro m(a, b='B', c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 2, 3) }} {{ m(b=0, a=9) }} {{ m(*[1, 2]) }} {{ m(**{'a': 4}) }}", "1B1 123 909 121 4B4")]
    [InlineData("{% macro m() %}[{{ caller('x') }}]{% endmacro %}{% call(v) m() %}{{ v }}y{% endcall %}", "[xy]")]
    [InlineData("{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, k=3) }}", "1[2]{\"k\": 3}")]
    [InlineData("{% macro f(n) %}{{ n * f(n - 1)|int if n > 1 else 1 }}{% endmacro %}{{ f(5) }}", "120")]
    [InlineData("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}late{% endmacro %}{{ a() }}", "late")]
    // attributes before entries with a point, entries first in brackets
    [InlineData(
        "{% set d = {'items': 1, 'k': {'n': 2}} %}{{ d['items'] }} {{ d.k.n }} {{ d.items() | length }} {{ [[1, 2]][0].1 }}",
        "1 2 2 2")]
    [InlineData("{{ y }}|{{ y.z is defined if y is defined else 'no' }}|{% for i in y %}{% endfor %}|{{ y|length }}", "|no||0")]
    [InlineData("{{ strftime_now('%d %b %Y %H:%M %-d %A %j') }}", "04 Jul 2025 09:05 4 Friday 185")]
    [InlineData("{% generation %}a{% endgeneration %}{% do 1 %}", "a")]
    public void Render_IsAsInPython(string template, string expected) => Assert.Equal(expected, Render(template));

    [Fact]
    public void Render_WritesListsAsPython_WhenAsked() =>
        Assert.Equal("['a', {'b': True, \"it's\": None}]",
            Render("{{ ['a', {'b': true, \"it's\": none}] }}", limits: new() { PythonContainers = true }));

    [Fact]
    public void Render_TakesTypedConversations()
    {
        var template = ChatTemplate.Parse("{{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }}{{ m.reasoning_content }}{{ m.tool_calls|tojson if m.tool_calls }};"
            + "{% endfor %}{{ tools is none }}{{ enable_thinking }}{{ eos_token is defined }}{% if add_generation_prompt %}>{% endif %}");
        string text = template.Render(new ChatPrompt
        {
            Turns =
            [
                new("user", "Hi"),
                new("assistant", null) { ToolCalls = JsonDocument.Parse("""[{"id":"1"}]""").RootElement, Reasoning = "hm" },
                new("user", null) { Parts = JsonDocument.Parse("""[{"type":"text","text":"x"}]""").RootElement },
            ],
            BeginText = "<s>",
            More = new Dictionary<string, object?> { ["enable_thinking"] = false },
        });
        Assert.Equal("""<s>user:Hi;assistant:hm[{"id": "1"}];user:[{"type": "text", "text": "x"}];TrueFalseFalse>""", text);
    }

    [Theory]
    [InlineData("ASH0480", 1, "{% if true %}")]
    [InlineData("ASH0480", 2, "a\n{% endif %}")]
    [InlineData("ASH0480", 1, "{{ 1 +")]
    [InlineData("ASH0480", 3, "\n\n{{ 1 + }}")]
    [InlineData("ASH0480", 1, "{{ 'a }}")]
    [InlineData("ASH0480", 1, "{% frob %}")]
    [InlineData("ASH0480", 1, "{{ 1|frob }}")]
    [InlineData("ASH0480", 1, "{{ 1 is frob }}")]
    [InlineData("ASH0480", 1, "{% include 'x' %}")]
    [InlineData("ASH0480", 1, "{# open")]
    [InlineData("ASH0480", 1, "{% raw %}")]
    [InlineData("ASH0480", 1, "{{ ) }}")]
    [InlineData("ASH0480", 1, "{{ $ }}")]
    [InlineData("ASH0480", 1, "{% break %}")]
    [InlineData("ASH0480", 1, "{{ 99999999999999999999 }}")]
    [InlineData("ASH0480", 1, "{% set true = 1 %}")]
    [InlineData("ASH0481", 2, "a\n{{ y.z }}")]
    [InlineData("ASH0481", 1, "{{ y + 1 }}")]
    [InlineData("ASH0481", 1, "{{ 'a' + 1 }}")]
    [InlineData("ASH0481", 1, "{{ 1 / 0 }}")]
    [InlineData("ASH0481", 1, "{{ y() }}")]
    [InlineData("ASH0481", 1, "{{ 1|join }}")]
    [InlineData("ASH0481", 1, "{{ [1].append(2) }}")]
    [InlineData("ASH0481", 1, "{{ {}.update(a=1) }}")]
    [InlineData("ASH0481", 1, "{{ 'a'.strip('a', 'b') }}")]
    [InlineData("ASH0481", 1, "{{ 'a'|trim(frob=1) }}")]
    [InlineData("ASH0481", 1, "{{ 'a' < 1 }}")]
    [InlineData("ASH0481", 3, "{% macro m(a) %}\n{% endmacro %}\n{{ m(1, 2) }}")]
    [InlineData("ASH0481", 1, "{{ y|tojson }}")]
    [InlineData("ASH0481", 1, "{% set s = 'a' %}{% set s.b = 1 %}")]
    [InlineData("ASH0481", 1, "{{ ''.__class__.__mro__ }}")]
    [InlineData("ASH0484", 2, "\n{{ raise_exception('no') }}")]
    [InlineData("ASH0482", 1, "{{ 'a' * 10**9 }}")]
    [InlineData("ASH0482", 1, "{{ [1] * 10**9 }}")]
    [InlineData("ASH0482", 1, "{% for i in range(10**9) %}{% endfor %}")]
    [InlineData("ASH0482", 1, "{{ 2**100 }}")]
    [InlineData("ASH0482", 1,
        "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}")]
    [InlineData("ASH0482", 1, "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}")]
    [InlineData("ASH0482", 1,
        "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}")]
    [InlineData("ASH0482", 1,
        "{% set ns = namespace(s=['a']) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}")]
    [InlineData("ASH0482", 1,
        "{% set ns = namespace(s=[]) %}{% for i in range(500000) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s }}")]
    [InlineData("ASH0482", 1, "{{ 'a'.ljust(10**12) }}")]
    [InlineData("ASH0482", 1, "{{ ('a' * 9999999).replace('a', 'b' * 9999) }}")]
    [InlineData("ASH0482", 1, "{{ 'x'|center(10**10) }}")]
    [InlineData("ASH0482", 1, "{{ '%999999999d' % 1 }}")]
    [InlineData("ASH0482", 1, "{% for n in [1] recursive %}{{ loop([1]) }}{% endfor %}")]
    public void Template_SaysWhatIsWrongAndWhere(string code, int line, string template)
    {
        var error = Assert.Throws<TokenizerException>(() => Render(template));
        Assert.Equal(code, error.Code);
        Assert.Contains($"line {line}", error.Message);
    }

    [Fact]
    public void Parse_RefusesDepth()
    {
        foreach (var (open, close) in ((string, string)[])[("(", ")"), ("[", "]"), ("-", ""), ("not ", "")])
        {
            string deep = "{{ " + string.Concat(Enumerable.Repeat(open, 100_000)) + "1"
                + string.Concat(Enumerable.Repeat(close, 100_000)) + " }}";
            Assert.Equal("ASH0482", Assert.Throws<TokenizerException>(() => ChatTemplate.Parse(deep)).Code);
        }
        string tags = string.Concat(Enumerable.Repeat("{% if 1 %}", 100_000));
        Assert.Equal("ASH0482", Assert.Throws<TokenizerException>(() => ChatTemplate.Parse(tags)).Code);
        string links = "{{ a" + string.Concat(Enumerable.Repeat(".b", 100_000)) + " }}";
        Assert.Equal("ASH0482", Assert.Throws<TokenizerException>(() => ChatTemplate.Parse(links)).Code);
    }

    [Fact]
    public void Parse_NeverFailsOtherwise_OnDamagedTemplates()
    {
        const string template = "{%- macro m(a, b=[1, {'k': 2}]) -%}{{ a|default('x', true)|tojson(indent=2) }}{%- endmacro %}{% for m in messages[::-1] if m.role != 'x' %}"
            + "{{ loop.index0 ~ m['content'].split(' ', 1)[-1] }}{% else %}{% set ns.x = 1 %}{% endfor %}{{ m(1, *[2]) if x is not none else '\\n' }}";
        var random = new Random(7);
        for (int i = 0; i < 3000; i++)
        {
            var damaged = new System.Text.StringBuilder(template);
            for (int changes = 1 + random.Next(4); changes > 0; changes--)
            {
                int at = random.Next(damaged.Length);
                if (random.Next(3) == 0) damaged.Remove(at, Math.Min(random.Next(1, 9), damaged.Length - at));
                else damaged.Insert(at, "{}%#()[]'\"|.,:-+*/ \nif is not in"[random.Next(32)]);
            }
            try
            {
                Render(damaged.ToString(), limits: new() { Steps = 20_000 });
            }
            catch (TokenizerException)
            {
                // what is wrong is said
            }
        }
    }

    [Fact]
    public void Template_IsNotGuessed_WhenThereIsNone()
    {
        var error = Assert.Throws<TokenizerException>(() => new TokenizerFiles { Tokenizer = new ByteTokenizer() }.Template());
        Assert.Equal("ASH0483", error.Code);
        Assert.Contains("--template", error.Message);
    }
}
