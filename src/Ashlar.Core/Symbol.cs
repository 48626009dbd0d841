namespace Ashlar;

/// <summary>A whole number that a program learns when it runs: a batch size, a token count, a cache length.</summary>
/// <param name="Name">What errors and text forms call it: letters, digits and underscores.</param>
/// <param name="Min">The least value it may take; at least 0.</param>
/// <param name="Max">The greatest value it may take.</param>
/// <param name="MultipleOf">Every value is a multiple of this; at least 1.</param>
/// <exception cref="ShapeException">ASH0132: no value could be one of it, or the name is none.</exception>
public sealed record Symbol(string Name, long Min = 1, long Max = int.MaxValue, long MultipleOf = 1) : IComparable<Symbol>
{
    /// <summary>What errors and text forms call it: letters, digits and underscores.</summary>
    public string Name { get; init; } = Checked(Name, Min, Max, MultipleOf);

    /// <summary>Orders symbols by name, so that extents have one normal form.</summary>
    public int CompareTo(Symbol? other) => string.CompareOrdinal(Name, other?.Name);

    /// <summary>Accepts <paramref name="value"/> for this symbol, or says which bound it breaks.</summary>
    /// <exception cref="ShapeException">The value is out of range or no multiple of <see cref="MultipleOf"/>.</exception>
    public void Check(long value)
    {
        if (value < Min || value > Max || value % MultipleOf != 0)
            throw new ShapeException("ASH0110", $"the extent '{Name}' was given {value}, but it must be {Bounds}.",
                $"pass a tensor whose axis fits, or declare the symbol with wider bounds: new Symbol(\"{Name}\", min, max, multipleOf).");
    }

    /// <summary>Order by name.</summary>
    public static bool operator <(Symbol a, Symbol b) => a.CompareTo(b) < 0;

    /// <summary>Order by name.</summary>
    public static bool operator >(Symbol a, Symbol b) => a.CompareTo(b) > 0;

    /// <summary>Order by name.</summary>
    public static bool operator <=(Symbol a, Symbol b) => a.CompareTo(b) <= 0;

    /// <summary>Order by name.</summary>
    public static bool operator >=(Symbol a, Symbol b) => a.CompareTo(b) >= 0;

    /// <inheritdoc/>
    public override string ToString() => Name;

    static string Checked(string name, long min, long max, long multipleOf)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length == 0 || !name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_')
            || char.IsAsciiDigit(name[0]))
            throw new ShapeException("ASH0132", $"a symbol cannot be called '{name}'.",
                "use ASCII letters, digits and underscores, a letter or underscore first.");
        if (multipleOf < 1 || min < 0 || max / multipleOf * multipleOf < min)
            throw new ShapeException("ASH0132",
                $"no value can be a multiple of {multipleOf} between {min} and {max}, as the symbol '{name}' is declared.",
                "declare it with 0 <= min <= max, and a multiple of at least 1 that has a value between them.");
        return name;
    }

    string Bounds => MultipleOf == 1 ? $"between {Min} and {Max}" : $"a multiple of {MultipleOf} between {Min} and {Max}";
}
