namespace Ashlar;

/// <summary>What a program may assume of a symbol's value.</summary>
enum ShapeClass : byte
{
    /// <summary>It is 0: nothing to do.</summary>
    Zero,
    /// <summary>It is 1: the axis needs no loop.</summary>
    One,
    /// <summary>From 2 to 16: a decoding batch.</summary>
    Small,
    /// <summary>More than 16.</summary>
    General,
    /// <summary>More than 16 and a multiple of it: no ragged edge.</summary>
    Divisible,
}

static class ShapeClasses
{
    const long Unit = 16;

    /// <summary>The class of a value of a symbol.</summary>
    public static ShapeClass Of(Symbol symbol, long value) => value switch
    {
        0 => ShapeClass.Zero,
        1 => ShapeClass.One,
        <= Unit => ShapeClass.Small,
        _ when value % Unit == 0 && symbol.MultipleOf % Unit != 0 => ShapeClass.Divisible,
        _ => ShapeClass.General,
    };

    /// <summary>The symbol with the bounds of a class.</summary>
    public static Extent Extent(Symbol symbol, ShapeClass kind) => kind switch
    {
        ShapeClass.Zero => 0,
        ShapeClass.One => 1,
        ShapeClass.Small => symbol with { Min = Math.Max(2, symbol.Min), Max = Math.Min(Unit, symbol.Max) },
        ShapeClass.Divisible => symbol with
        {
            Min = Math.Max(2 * Unit, symbol.Min),
            MultipleOf = Unit / Gcd(Unit, symbol.MultipleOf) * symbol.MultipleOf,
        },
        _ => symbol with { Min = Math.Max(Unit + 1, symbol.Min) },
    };

    static long Gcd(long a, long b) => b == 0 ? a : Gcd(b, a % b);
}
