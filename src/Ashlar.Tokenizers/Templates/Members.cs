namespace Ashlar.Tokenizers;

/// <summary>What values have: entries, parts, methods.</summary>
static class Members
{
    public static object? Attribute(object? of, string name)
    {
        if (of is Undefined missing) throw new TemplateProblem($"{missing.What} is undefined, but is asked for '{name}'");
        if (of is LoopState loop) return loop.Get(name);
        if (of is TemplateNamespace fields)
            return fields.Values.TryGetValue(name, out object? field) ? field : new Undefined($"'{name}'");
        if (Own(of, name) is { } own) return own;
        return of is TemplateMap map && map.TryGet(name, out object? value) ? value : new Undefined($"'{name}'");
    }

    // What is there whatever the entries are.
    static object? Own(object? of, string name) => of switch
    {
        string text => TextMethods.Find(text, name),
        TemplateMap map => MapMethods.Find(map, name),
        List<object?> list => ListMethods.Find(list, name),
        _ => null,
    };

    public static object? Item(object? of, object? key)
    {
        switch (of)
        {
            case Undefined missing: throw new TemplateProblem($"{missing.What} is undefined, but is asked for '{key}'");
            case TemplateMap map when map.TryGet(key, out object? value): return value;
            case List<object?> list when key is long index:
                if (index < 0) index += list.Count;
                return index >= 0 && index < list.Count
                    ? list[(int)index]
                    : new Undefined($"the entry {key} of a list of {list.Count}");
            case string text when key is long index:
                long count = Values.Length(text);
                if (index < 0) index += count;
                if (index < 0 || index >= count) return new Undefined($"the character {key} of a text of {count}");
                return count == text.Length ? text.Substring((int)index, 1) : Values.Characters(text).ElementAt((int)index);
        }
        return key is string name ? Attribute(of, name) : new Undefined($"the entry '{key}'");
    }

    /// <summary>As Python cuts: bounds beyond the ends are the ends, negative ones count from behind.</summary>
    public static object? Slice(object? of, long? start, long? stop, long? step, Rendering rendering)
    {
        if (of is Undefined missing) throw new TemplateProblem($"{missing.What} is undefined, but a part of it is asked for");
        long by = step ?? 1;
        if (by == 0) throw new TemplateProblem("the step of a part is zero");
        string[]? characters = of is string text ? [.. Values.Characters(text)] : null;
        var list = of as List<object?>;
        if (characters is null && list is null) throw new TemplateProblem($"{Values.TypeOf(of)} has no parts");
        long count = characters?.Length ?? list!.Count;
        rendering.Charge(count / 16);
        long from = Bound(start, by > 0 ? 0 : count - 1), to = Bound(stop, by > 0 ? count : -1);
        var picked = new List<int>();
        for (long i = from; by > 0 ? i < to : i > to; i += by)
        {
            picked.Add((int)i);
            if (by > count || by < -count) break;
        }
        return characters is not null
            ? rendering.Sized(string.Concat(picked.Select(i => characters[i])))
            : rendering.Sized([.. picked.Select(i => list![i])]);

        long Bound(long? bound, long otherwise)
        {
            if (bound is not { } value) return otherwise;
            if (value < 0) value = value < -count ? -1 - count : value + count;
            return by > 0 ? Math.Clamp(value, 0, count) : Math.Clamp(value, -1, count - 1);
        }
    }
}

/// <summary>The methods of mappings. Those that would change one are refused.</summary>
static class MapMethods
{
    public static TemplateFunction? Find(TemplateMap map, string name) => name switch
    {
        "items" => (rendering, given) =>
            rendering.Sized([.. map.Select(entry => (object?)new List<object?> { entry.Key, entry.Value })]),
        "keys" => (rendering, given) => rendering.Sized([.. map.Keys]),
        "values" => (rendering, given) => rendering.Sized([.. map.Select(entry => entry.Value)]),
        "get" => (rendering, given) =>
        {
            object? key = given.Need("key"), otherwise = given.Take("default", null);
            given.Done("get");
            return map.TryGet(key, out object? value) ? value : otherwise;
        }
        ,
        "copy" => (rendering, given) => map,
        "update" or "pop" or "popitem" or "setdefault" or "clear" => (rendering, given) =>
            throw new TemplateProblem($"'{name}' would change a mapping, which templates may not"),
        _ => null,
    };
}

/// <summary>The methods of lists. Those that would change one are refused.</summary>
static class ListMethods
{
    public static TemplateFunction? Find(List<object?> list, string name) => name switch
    {
        "index" => (rendering, given) =>
        {
            object? wanted = given.Need("value");
            int found = list.FindIndex(entry => Values.AreEqual(entry, wanted));
            return found >= 0
                ? (long)found
                : throw new TemplateProblem("a list is asked for the place of a value that it does not hold");
        }
        ,
        "count" => (rendering, given) =>
        {
            object? wanted = given.Need("value");
            return (long)list.Count(entry => Values.AreEqual(entry, wanted));
        }
        ,
        "copy" => (rendering, given) => list,
        "append" or "extend" or "insert" or "pop" or "remove" or "clear" or "sort" or "reverse" => (rendering, given) =>
            throw new TemplateProblem($"'{name}' would change a list, which templates may not; add lists with '+'"),
        _ => null,
    };
}
