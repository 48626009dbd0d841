namespace Ashlar.Backends.Cpu.Lowering;

/// <summary>Sorts the places of a row by their keys; called from generated code.</summary>
internal static unsafe class RowSort
{
    const int Short = 16;   // runs that are sorted by insertion

    /// <summary>Writes to <paramref name="order"/> the places 0 .. count - 1 in the order of their keys: stable, NaN
    /// greatest.</summary>
    /// <param name="keys">Values of the compute type <paramref name="dtype"/>.</param>
    /// <param name="order">Room for twice <paramref name="count"/> int32.</param>
    /// <param name="count">How many.</param>
    /// <param name="dtype">A <see cref="DType"/>.</param>
    /// <param name="descending">1: the greatest first, still stable.</param>
    public static void Sort(nint keys, nint order, long count, long dtype, long descending)
    {
        switch ((DType)dtype)
        {
            case DType.Float32: Sort((float*)keys, (int*)order, (int)count, descending != 0); break;
            case DType.Float64: Sort((double*)keys, (int*)order, (int)count, descending != 0); break;
            case DType.Int32: Sort((int*)keys, (int*)order, (int)count, descending != 0); break;
            case DType.Int64: Sort((long*)keys, (int*)order, (int)count, descending != 0); break;
            default: Sort((byte*)keys, (int*)order, (int)count, descending != 0); break;
        }
    }

    static void Sort<T>(T* keys, int* order, int count, bool descending) where T : unmanaged, IComparable<T>
    {
        for (int start = 0; start < count; start += Short) Insert(keys, order, start, Math.Min(start + Short, count), descending);
        int* from = order, to = order + count;
        for (int width = Short; width < count; width *= 2)
        {
            for (int start = 0; start < count; start += 2 * width)
                Merge(keys, from, to, start, Math.Min(start + width, count), Math.Min(start + 2 * width, count), descending);
            int* merged = to;
            to = from;
            from = merged;
            if (width > int.MaxValue / 2) break;
        }
        if (from != order) System.Buffer.MemoryCopy(from, order, 4L * count, 4L * count);
    }

    static void Insert<T>(T* keys, int* order, int start, int end, bool descending) where T : unmanaged, IComparable<T>
    {
        for (int i = start; i < end; i++)
        {
            int at = i;
            for (; at > start && Comes(keys[i], keys[order[at - 1]], descending); at--) order[at] = order[at - 1];
            order[at] = i;
        }
    }

    static void Merge<T>(T* keys, int* from, int* to, int start, int middle, int end, bool descending)
        where T : unmanaged, IComparable<T>
    {
        int left = start, right = middle;
        for (int i = start; i < end; i++)
        {
            bool takeRight = right < end && (left >= middle || Comes(keys[from[right]], keys[from[left]], descending));
            to[i] = takeRight ? from[right++] : from[left++];
        }
    }

    // Whether a must stand before b that came first. .NET orders NaN below all numbers; here it is above them.
    static bool Comes<T>(T a, T b, bool descending) where T : unmanaged, IComparable<T>
    {
        bool nanA = IsNaN(a), nanB = IsNaN(b);
        int order = nanA || nanB ? nanA.CompareTo(nanB) : a.CompareTo(b);
        return descending ? order > 0 : order < 0;
    }

    static bool IsNaN<T>(T value) where T : unmanaged =>
        typeof(T) == typeof(float) ? float.IsNaN((float)(object)value) : typeof(T) == typeof(double)
            && double.IsNaN((double)(object)value);
}
