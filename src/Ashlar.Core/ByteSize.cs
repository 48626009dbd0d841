using System.Globalization;

namespace Ashlar;

/// <summary>Numbers of bytes as people read them.</summary>
public static class ByteSize
{
    static readonly string[] units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    /// <summary>The number in the largest unit of 1024 that keeps it at least 1, with three digits: <c>1.50 GiB</c>, <c>64
    /// B</c>.</summary>
    public static string Text(long bytes)
    {
        double value = bytes;
        int unit = 0;
        for (; Math.Abs(value) >= 1023.5 && unit < units.Length - 1; unit++) value /= 1024;
        string format = unit == 0 || Math.Abs(value) >= 99.95 ? "0" : Math.Abs(value) >= 9.995 ? "0.0" : "0.00";
        string digits = value.ToString(format, CultureInfo.InvariantCulture);
        if (digits.EndsWith(".00", StringComparison.Ordinal) || digits.EndsWith(".0", StringComparison.Ordinal))
            digits = digits[..digits.IndexOf('.')];
        return $"{digits} {units[unit]}";
    }
}
