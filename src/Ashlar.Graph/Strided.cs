namespace Ashlar.Graph;

/// <summary>Reads and writes arrays of the interpreter through strides: every movement op is one of the two.</summary>
static class Strided
{
    /// <summary>Row-major strides.</summary>
    public static long[] Strides(long[] extents)
    {
        var strides = new long[extents.Length];
        long stride = 1;
        for (int axis = extents.Length - 1; axis >= 0; axis--)
        {
            strides[axis] = stride;
            stride *= extents[axis];
        }
        return strides;
    }

    /// <summary>The array whose element at (i, j, ...) is that of <paramref name="x"/> at offset + i * strides[0] + j *
    /// strides[1] + ...</summary>
    public static Value Read(Value x, long[] extents, long offset, long[] strides)
    {
        var result = Value.Zeros(extents);
        long i = 0;
        foreach (long at in Offsets(extents, offset, strides)) result.Data[i++] = x.Data[at];
        return result;
    }

    /// <summary>Puts each element of <paramref name="x"/> into <paramref name="target"/> at its strided place.</summary>
    public static void Write(Value target, Value x, long offset, long[] strides)
    {
        long i = 0;
        foreach (long at in Offsets(x.Extents, offset, strides)) target.Data[at] = x.Data[i++];
    }

    /// <summary>The offset of each element in row-major order.</summary>
    public static IEnumerable<long> Offsets(long[] extents, long offset, long[] strides)
    {
        if (extents.Contains(0)) yield break;
        var at = new long[extents.Length];
        while (true)
        {
            yield return offset;
            int axis = extents.Length - 1;
            for (; axis >= 0; axis--)
            {
                offset += strides[axis];
                if (++at[axis] < extents[axis]) break;
                offset -= at[axis] * strides[axis];
                at[axis] = 0;
            }
            if (axis < 0) yield break;
        }
    }

    /// <summary>The same elements with these axes moved to the end, in this order.</summary>
    public static Value Last(Value x, params ReadOnlySpan<int> axes)
    {
        int[] last = axes.ToArray();
        int[] order = [.. Enumerable.Range(0, x.Extents.Length).Where(axis => !last.Contains(axis)), .. last];
        long[] strides = Strides(x.Extents);
        return Read(x, [.. order.Select(axis => x.Extents[axis])], 0, [.. order.Select(axis => strides[axis])]);
    }

    /// <summary>The number of elements.</summary>
    public static long Count(IEnumerable<long> extents) => extents.Aggregate(1L, (a, b) => a * b);
}
