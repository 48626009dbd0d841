namespace Ashlar.Tokenizers;

/// <summary>What Python's operators do.</summary>
static class Arithmetic
{
    public static object? Do(string sign, object? x, object? y, Rendering rendering)
    {
        switch (sign, x, y)
        {
            case ("+", string a, string b):
                rendering.CheckLength((long)a.Length + b.Length);
                return rendering.Sized(a + b);
            case ("+", List<object?> a, List<object?> b):
                rendering.CheckEntries((long)a.Count + b.Count);
                return rendering.Sized([.. a, .. b]);
            case ("*", string text, long or bool): return Repeat(text, Values.ToLong(y), rendering);
            case ("*", long or bool, string text): return Repeat(text, Values.ToLong(x), rendering);
            case ("*", List<object?> list, long or bool): return Repeat(list, Values.ToLong(y), rendering);
            case ("*", long or bool, List<object?> list): return Repeat(list, Values.ToLong(x), rendering);
            case ("%", string format, _): return PrintfText.Format(format, y, rendering);
        }
        if (!Values.IsNumber(x) || !Values.IsNumber(y))
            throw new TemplateProblem($"'{sign}' is not for {Values.TypeOf(x)} and {Values.TypeOf(y)}");
        try
        {
            return sign == "/" ? Divide(Values.ToDouble(x), Values.ToDouble(y)) : x is double || y is double
                ? Floats(sign, Values.ToDouble(x), Values.ToDouble(y)) : Wholes(sign, Values.ToLong(x), Values.ToLong(y));
        }
        catch (OverflowException)
        {
            throw new TemplateProblem($"the result of '{sign}' does not fit into 64 bits", TemplateProblem.Kind.Limit);
        }
    }

    static object Wholes(string sign, long x, long y) => checked(sign switch
    {
        "+" => x + y,
        "-" => x - y,
        "*" => x * y,
        "//" => FloorDivide(x, NotZero(y)),
        "%" => x - FloorDivide(x, NotZero(y)) * y,
        _ => y < 0 ? (object)Math.Pow(x, y) : Power(x, y),
    });

    static long FloorDivide(long x, long y) => checked(x / y) - (x % y != 0 && x < 0 != y < 0 ? 1 : 0);

    static long Power(long x, long y)
    {
        long result = 1;
        if (x is 0 or 1) return y == 0 ? 1 : x;
        if (x == -1) return y % 2 == 0 ? 1 : -1;
        for (; y > 0; y--) result = checked(result * x);   // at most 63 times
        return result;
    }

    static double Floats(string sign, double x, double y) => sign switch
    {
        "+" => x + y,
        "-" => x - y,
        "*" => x * y,
        "//" => Math.Floor(Divide(x, y)),
        "%" => x - Math.Floor(Divide(x, y)) * y,
        _ => Math.Pow(x, y),
    };

    static double Divide(double x, double y) => y == 0 ? throw new TemplateProblem("a number is divided by zero") : x / y;

    static long NotZero(long y) => y == 0 ? throw new TemplateProblem("a number is divided by zero") : y;

    static string Repeat(string text, long count, Rendering rendering)
    {
        if (count <= 0 || text.Length == 0) return "";
        rendering.CheckLength(count > int.MaxValue ? long.MaxValue : text.Length * count);
        return rendering.Sized(string.Concat(Enumerable.Repeat(text, (int)count)));
    }

    static List<object?> Repeat(List<object?> list, long count, Rendering rendering)
    {
        if (count <= 0 || list.Count == 0) return [];
        rendering.CheckEntries(count > int.MaxValue ? long.MaxValue : list.Count * count);
        return rendering.Sized([.. Enumerable.Repeat(list, (int)count).SelectMany(entry => entry)]);
    }
}
