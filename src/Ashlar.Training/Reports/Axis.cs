using System.Globalization;

namespace Ashlar.Training;

/// <summary>How numbers are spread over a picture.</summary>
public enum Scale
{
    /// <summary>Equal differences take equal room.</summary>
    Linear,
    /// <summary>Equal ratios take equal room; numbers of 0 and less are left out.</summary>
    Log,
}

/// <summary>An axis of a picture: numbers to places from 0 to 1, and round numbers to write beside it.</summary>
sealed class Axis
{
    readonly Scale scale;
    readonly double low, high;   // logarithms on a log axis

    /// <param name="values">What must fit; those that have no place are left out.</param>
    /// <param name="scale">How they are spread.</param>
    /// <param name="margin">The share of the range that is left free at each end.</param>
    /// <param name="fromZero">Whether it begins at 0.</param>
    public Axis(IEnumerable<double> values, Scale scale, double margin = 0, bool fromZero = false)
    {
        this.scale = scale;
        double[] places = [.. values.Where(Fits).Select(Transform)];
        (low, high) = places.Length == 0 ? (0, 1) : (places.Min(), places.Max());
        if (fromZero && scale == Scale.Linear) low = Math.Min(low, 0);
        double width = high - low;
        if (width <= 1e-12 * Math.Max(Math.Abs(low), Math.Abs(high)) || width == 0)
        {
            double around = scale == Scale.Log ? 0.5 : low == 0 ? 1 : Math.Abs(low) / 2;
            (low, high) = (low - (fromZero ? 0 : around), high + around);
        }
        else (low, high) = (fromZero ? low : low - width * margin, high + width * margin);
    }

    /// <summary>Whether a number has a place.</summary>
    public bool Fits(double value) => double.IsFinite(value) && (scale == Scale.Linear || value > 0);

    /// <summary>From 0 at the low end to 1 at the high end.</summary>
    public double Place(double value) => (Transform(value) - low) / (high - low);

    /// <summary>Round numbers within the axis: multiples of 1, 2 or 5 times a power of ten, about as many as asked for.</summary>
    public IReadOnlyList<double> Ticks(int about)
    {
        if (scale == Scale.Log && high - low > 0.7)
        {
            // 1, 2 and 5 of each power where that is not too much, else the powers, or every so many of them.
            int first = (int)Math.Floor(low), last = (int)Math.Ceiling(high);
            double[] factors = high - low <= about / 3.0 ? [1, 2, 5] : [1];
            int every = Math.Max(1, (int)Math.Ceiling((high - low) / about));
            return [.. Enumerable.Range(first, last - first + 1).Where(power => power % every == 0)
                .SelectMany(power => factors.Select(factor => factor * Math.Pow(10, power))).Where(IsWithin)];
        }
        double from = scale == Scale.Log ? Math.Pow(10, low) : low, to = scale == Scale.Log ? Math.Pow(10, high) : high;
        double rough = (to - from) / about, power10 = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = (rough / power10) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 } * power10;
        var ticks = new List<double>();
        for (double multiple = Math.Ceiling(from / step - 1e-9);
            multiple * step <= to + step * 1e-9 && ticks.Count < 100; multiple++)
            ticks.Add(multiple * step);
        return ticks;
    }

    /// <summary>A tick as people read it: <c>0.25</c>, <c>1,500</c>, <c>20k</c>, <c>3M</c>, <c>1e-05</c>.</summary>
    public static string Text(double tick)
    {
        double size = Math.Abs(tick);
        return size switch
        {
            < 1e-12 => "0",
            >= 1e9 or < 1e-4 =>
                tick.ToString("0.##e-00", CultureInfo.InvariantCulture).Replace("e+", "e", StringComparison.Ordinal),
            >= 1e6 => (tick / 1e6).ToString("0.###", CultureInfo.InvariantCulture) + "M",
            >= 1e4 => (tick / 1e3).ToString("0.###", CultureInfo.InvariantCulture) + "k",
            _ => tick.ToString("#,0.######", CultureInfo.InvariantCulture),
        };
    }

    bool IsWithin(double value) => Place(value) is >= -1e-9 and <= 1 + 1e-9;

    double Transform(double value) => scale == Scale.Log ? Math.Log10(value) : value;
}
