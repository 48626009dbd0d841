using System.Diagnostics;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>One run of a template: what it has written, and what it may still use up.</summary>
sealed class Rendering(TemplateLimits limits, DateTimeOffset now)
{
    readonly Stopwatch watch = Stopwatch.StartNew();
    long steps;
    long nextLook = 4096;
    int depth;

    public TemplateLimits Limits => limits;

    public DateTimeOffset Now => now;

    /// <summary>Where text goes.</summary>
    public StringBuilder Output { get; set; } = new();

    /// <summary>Counts work.</summary>
    public void Charge(long count)
    {
        steps += count;
        if (steps < nextLook) return;
        nextLook = steps + 4096;
        if (steps > limits.Steps)
            throw new TemplateProblem($"it has done more than {limits.Steps:N0} steps", TemplateProblem.Kind.Limit);
        if (watch.Elapsed > limits.Time)
            throw new TemplateProblem($"it has run for more than {limits.Time.TotalSeconds:0.#} s", TemplateProblem.Kind.Limit);
    }

    public void CheckLength(long characters)
    {
        if (characters > limits.Characters)
            throw new TemplateProblem($"a text would have more than {limits.Characters:N0} characters",
                TemplateProblem.Kind.Limit);
    }

    public void CheckEntries(long entries)
    {
        if (entries > limits.Entries)
            throw new TemplateProblem($"a list would have more than {limits.Entries:N0} entries", TemplateProblem.Kind.Limit);
    }

    /// <summary>A text that was made, counted by its length.</summary>
    public string Sized(string text)
    {
        CheckLength(text.Length);
        Charge(1 + text.Length / 16);
        return text;
    }

    /// <summary>A list that was made, counted by its length.</summary>
    public List<object?> Sized(List<object?> list)
    {
        CheckEntries(list.Count);
        Charge(1 + list.Count);
        return list;
    }

    public void Write(string text)
    {
        CheckLength((long)Output.Length + text.Length);
        Charge(1 + text.Length / 16);
        Output.Append(text);
    }

    /// <summary>What is written while something runs.</summary>
    public string Capture(Action run)
    {
        var outer = Output;
        Output = new();
        try
        {
            run();
            return Sized(Output.ToString());
        }
        finally
        {
            Output = outer;
        }
    }

    /// <summary>Runs within a call.</summary>
    public T Within<T>(Func<T> run)
    {
        if (++depth > limits.Depth)
            throw new TemplateProblem($"calls are within calls more than {limits.Depth} deep", TemplateProblem.Kind.Limit);
        try
        {
            return run();
        }
        finally
        {
            depth--;
        }
    }
}

/// <summary>Names and their values, within those around them.</summary>
sealed class Scope(Scope? outer)
{
    readonly Dictionary<string, object?> values = new(StringComparer.Ordinal);

    public object? this[string name]
    {
        set => values[name] = value;
    }

    public bool TryGet(string name, out object? value)
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
            if (scope.values.TryGetValue(name, out value)) return true;
        value = null;
        return false;
    }

    Scope? Outer => outer;
}

/// <summary>What a call is given.</summary>
sealed class Arguments(List<object?> positions, Dictionary<string, object?> names)
{
    readonly HashSet<string> taken = [];
    int used;

    public List<object?> Positions => positions;

    public Dictionary<string, object?> Names => names;

    /// <summary>The next argument, by place or by name.</summary>
    public object? Take(string name, object? otherwise) => TryTake(name, out object? value) ? value : otherwise;

    public bool TryTake(string name, out object? value)
    {
        if (used < positions.Count)
        {
            value = positions[used++];
            return true;
        }
        if (!names.TryGetValue(name, out value)) return false;
        taken.Add(name);
        return true;
    }

    public object? Need(string name) =>
        TryTake(name, out object? value) ? value : throw new TemplateProblem($"the argument '{name}' is missing");

    public string Text(string name) => Need(name) as string ?? throw new TemplateProblem($"the argument '{name}' is not a text");

    public string? OptionalText(string name) => Take(name, null) switch
    {
        null => null,
        string text => text,
        var other => throw new TemplateProblem($"the argument '{name}' is {Values.TypeOf(other)}, not a text"),
    };

    public long Number(string name, long otherwise) => TryTake(name, out object? value) ? Values.ToLong(value) : otherwise;

    public bool Flag(string name, bool otherwise) => TryTake(name, out object? value) ? Values.IsTrue(value) : otherwise;

    /// <summary>Refuses what was not taken.</summary>
    public void Done(string what)
    {
        if (used < positions.Count)
            throw new TemplateProblem($"{what} was given {positions.Count} arguments, of which it takes {used}");
        foreach (string name in names.Keys)
            if (!taken.Contains(name)) throw new TemplateProblem($"{what} has no argument '{name}'");
    }
}
