using System.Globalization;
using System.Text;

namespace Ashlar;

/// <summary>Prints tensors as NumPy does: aligned columns, the middle of long axes left out.</summary>
static class Printer
{
    const int Threshold = 1000;   // more elements are summarised
    const int Edge = 3;           // elements shown at each end of a summarised axis
    const int Columns = 100;
    const int Digits = 4;

    public static string Print(Tensor x)
    {
        if (Trace.Current is not null || !x.Shape.IsConstant) return $"{x.Type} (traced, {x.Node.Meaning.Name})";
        if (!x.IsRealized && Device.Current is null) return $"{x.Type} (not computed: no device is registered)";
        long count = x.Shape.Elements.Value;
        if (count == 0) return $"{x.Type} []";

        long[] extents = x.Shape.Values;
        bool summarise = count > Threshold;
        var places = new List<long>();
        Places(extents, 0, 0, summarise, places);
        var values = new double[places.Count];
        var memory = x.Memory();
        for (int i = 0; i < values.Length; i++) values[i] = Load(memory, x.DType, places[i]);
        GC.KeepAlive(x);

        string[] texts = Format(values, places, memory, x.DType);
        if (extents.Length == 0) return $"{x.Type} {texts[0]}";
        int width = texts.Max(text => text.Length);
        var printed = new StringBuilder(x.Type).Append('\n');
        int next = 0;
        Append(printed, extents, 0, summarise, () => texts[next++].PadLeft(width));
        return printed.ToString();
    }

    static IEnumerable<long?> Shown(long extent, bool summarise)
    {
        bool cut = summarise && extent > 2 * Edge;
        for (long i = 0; i < (cut ? Edge : extent); i++) yield return i;
        if (!cut) yield break;
        yield return null;
        for (long i = extent - Edge; i < extent; i++) yield return i;
    }

    static void Places(long[] extents, int axis, long start, bool summarise, List<long> places)
    {
        if (axis == extents.Length)
        {
            places.Add(start);
            return;
        }
        foreach (var i in Shown(extents[axis], summarise))
            if (i is { } index) Places(extents, axis + 1, start * extents[axis] + index, summarise, places);
    }

    static void Append(StringBuilder printed, long[] extents, int axis, bool summarise, Func<string> element)
    {
        string indent = new(' ', axis + 1);
        printed.Append('[');
        bool first = true;
        int line = axis + 1;
        foreach (var index in Shown(extents[axis], summarise))
        {
            if (axis == extents.Length - 1)
            {
                string text = index is null ? "..." : element();
                if (!first && line + text.Length + 2 > Columns)
                {
                    printed.Append('\n').Append(indent);
                    line = axis + 1;
                }
                else if (!first) printed.Append(' ');
                printed.Append(text);
                line += text.Length + 1;
            }
            else
            {
                if (!first) printed.Append('\n', extents.Length - 1 - axis).Append(indent);   // an empty line between matrices
                if (index is null) printed.Append("...");
                else Append(printed, extents, axis + 1, summarise, element);
            }
            first = false;
        }
        printed.Append(']');
    }

    static double Load(Buffer memory, DType dtype, long place)
    {
        Span<double> one = stackalloc double[1];
        Storage.Load(memory, dtype, place, one);
        return one[0];
    }

    static string[] Format(double[] values, List<long> places, Buffer memory, DType dtype)
    {
        if (dtype == DType.Bool) return Array.ConvertAll(values, value => value != 0 ? "true" : "false");
        if (dtype == DType.Int64)
            return [.. places.Select(place => memory.Span<long>(place, 1)[0].ToString(CultureInfo.InvariantCulture))];
        if (!dtype.IsFloat) return Array.ConvertAll(values, value => value.ToString("F0", CultureInfo.InvariantCulture));

        var finite = values.Where(double.IsFinite).Select(Math.Abs).Where(value => value != 0).ToArray();
        double greatest = finite.DefaultIfEmpty(0).Max(), least = finite.DefaultIfEmpty(1).Min();
        bool scientific = greatest >= 1e8 || least < 1e-4 || greatest / least > 1e6;
        int decimals = scientific ? Digits : finite.Select(Decimals).DefaultIfEmpty(0).Max();
        string form = scientific ? "0." + new string('0', Digits) + "e+00" : decimals == 0 ? "0." : "F" + decimals;
        return Array.ConvertAll(values, value => double.IsNaN(value) ? "nan" : double.IsInfinity(value) ? value > 0 ? "inf" : "-inf"
            : form == "0." ? value.ToString("F0", CultureInfo.InvariantCulture)
            + "." : value.ToString(form, CultureInfo.InvariantCulture));
    }

    // How many decimals a number needs, at most Digits.
    static int Decimals(double value)
    {
        for (int decimals = 0; decimals < Digits; decimals++)
            if (Math.Abs(Math.Round(value, decimals) - value) <= value * 1e-6) return decimals;
        return Digits;
    }
}
