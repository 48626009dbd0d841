namespace Ashlar.Runtime.Tuning;

/// <summary>Extents that are near enough to be tuned as one.</summary>
public static class ExtentClass
{
    /// <summary>An extent rounded up to three leading bits: 1000 and 1024 are of one class, 1025 and 1280 of the next. At most 8
    /// is its own class.</summary>
    public static long Of(long extent)
    {
        if (extent <= 8) return extent;
        long unit = 1L << (61 - (int)long.LeadingZeroCount(extent - 1));
        return (extent + unit - 1) / unit * unit;
    }
}
