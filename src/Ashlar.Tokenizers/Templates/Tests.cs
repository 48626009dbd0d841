namespace Ashlar.Tokenizers;

delegate bool TemplateTest(Rendering rendering, object? value, Arguments arguments);

/// <summary>The tests, <c>value is name arguments</c>.</summary>
static class Tests
{
    static readonly Dictionary<string, TemplateTest> known = Make();

    public static TemplateTest? Find(string name) => known.GetValueOrDefault(name);

    static Dictionary<string, TemplateTest> Make()
    {
        TemplateTest equal = (_, value, given) => Values.AreEqual(value, given.Need("other")), unequal = (_, value, given) =>
            !Values.AreEqual(value, given.Need("other")),
            less = (_, value, given) => Values.Compare(value, given.Need("other")) < 0, lessOrEqual = (_, value, given) =>
                Values.Compare(value, given.Need("other")) <= 0,
            greater = (_, value, given) => Values.Compare(value, given.Need("other")) > 0, greaterOrEqual = (_, value, given) =>
                Values.Compare(value, given.Need("other")) >= 0;
        return new(StringComparer.Ordinal)
        {
            ["defined"] = (_, value, _) => value is not Undefined,
            ["undefined"] = (_, value, _) => value is Undefined,
            ["none"] = (_, value, _) => value is null,
            ["None"] = (_, value, _) => value is null,
            ["string"] = (_, value, _) => value is string,
            ["number"] = (_, value, _) => Values.IsNumber(value),
            ["integer"] = (_, value, _) => value is long,
            ["float"] = (_, value, _) => value is double,
            ["boolean"] = (_, value, _) => value is bool,
            ["true"] = (_, value, _) => value is true,
            ["false"] = (_, value, _) => value is false,
            ["True"] = (_, value, _) => value is true,
            ["False"] = (_, value, _) => value is false,
            ["mapping"] = (_, value, _) => value is TemplateMap,
            ["sequence"] = (_, value, _) => value is string or List<object?> or TemplateMap or Undefined,
            ["iterable"] = (_, value, _) => value is string or List<object?> or TemplateMap or Undefined,
            ["callable"] = (_, value, _) => value is TemplateFunction or LoopState { Again: not null },
            ["even"] = (_, value, _) => Values.ToLong(value) % 2 == 0,
            ["odd"] = (_, value, _) => Values.ToLong(value) % 2 != 0,
            ["divisibleby"] = (_, value, given) =>
                Values.ToLong(given.Need("num")) is not 0 and var by && Values.ToLong(value) % by == 0,
            ["sameas"] = (_, value, given) => given.Need("other") is var other
                && (ReferenceEquals(value, other) || value is bool or long or string && value.Equals(other)),
            ["in"] = (_, value, given) => Values.Contains(given.Need("seq"), value),
            ["lower"] = (rendering, value, _) =>
                Values.ToText(value, rendering) is var text && text.Any(char.IsLower) && !text.Any(char.IsUpper),
            ["upper"] = (rendering, value, _) =>
                Values.ToText(value, rendering) is var text && text.Any(char.IsUpper) && !text.Any(char.IsLower),
            ["filter"] = (_, value, _) => value is string name && Filters.Find(name) is not null,
            ["test"] = (_, value, _) => value is string name && Find(name) is not null,
            ["escaped"] = (_, _, _) => false,
            ["eq"] = equal,
            ["equalto"] = equal,
            ["=="] = equal,
            ["ne"] = unequal,
            ["!="] = unequal,
            ["lt"] = less,
            ["lessthan"] = less,
            ["<"] = less,
            ["le"] = lessOrEqual,
            ["<="] = lessOrEqual,
            ["gt"] = greater,
            ["greaterthan"] = greater,
            [">"] = greater,
            ["ge"] = greaterOrEqual,
            [">="] = greaterOrEqual,
        };
    }
}
