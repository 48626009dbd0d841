using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Ashlar.Backends.Cpu.Lowering;

/// <summary>Sorts the places of a row by their keys; called from generated code.</summary>
/// <remarks>
/// Keys of up to 32 bits become numbers of 64 that hold key and place: all differ, so sorting them in any way is stable. Short
/// rows count for each how many come before it, which has no branches; long ones go through their bytes from the lowest to the
/// highest (Knuth, The Art of Computer Programming 3, 5.2.5). Keys of 64 bits are merged.
/// </remarks>
internal static unsafe class RowSort
{
    /// <summary>Elements of room that rows of any length take besides two for each key.</summary>
    public const int RoomBeyondKeys = Lanes + Digits * Values / 2;

    const int Lanes = 8, Digits = 4, Values = 256;

    const int Counted = 128;   // rows up to here are counted
    const int Short = 16;      // runs that are sorted by insertion before they are merged

    /// <summary>Writes to <paramref name="order"/> the places 0 .. count - 1 in the order of their keys: stable, NaN
    /// greatest.</summary>
    /// <param name="keys">Values of the compute type <paramref name="dtype"/>.</param>
    /// <param name="order">Room for <paramref name="count"/> int32.</param>
    /// <param name="room">Room for twice <paramref name="count"/> and <see cref="RoomBeyondKeys"/> int64.</param>
    /// <param name="count">How many.</param>
    /// <param name="dtype">A <see cref="DType"/>.</param>
    /// <param name="descending">1: the greatest first, still stable.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Sort(nint keys, nint order, nint room, long count, long dtype, long descending)
    {
        int n = (int)count, turn = descending != 0 ? -1 : 0;   // all bits turned: the other way round
        var entries = (long*)room;
        switch ((DType)dtype)
        {
            case DType.Float32:
                for (int i = 0; i < n; i++) entries[i] = Entry(Ordered(((int*)keys)[i]) ^ turn, i);
                break;
            case DType.Int32:
                for (int i = 0; i < n; i++) entries[i] = Entry(((int*)keys)[i] ^ turn, i);
                break;
            case DType.Float64:
                Merged((double*)keys, (int*)order, (int*)room, n, descending != 0);
                return;
            case DType.Int64:
                Merged((long*)keys, (int*)order, (int*)room, n, descending != 0);
                return;
            default:
                for (int i = 0; i < n; i++) entries[i] = Entry(((byte*)keys)[i] ^ turn, i);
                break;
        }
        if (n <= Counted) Rank(entries, (int*)order, n);
        else ByDigits(entries, entries + n, (int*)(entries + 2 * n), (int*)order, n);
    }

    static long Entry(int key, int place) => (long)key << 32 | (uint)place;

    // The bits of a float32 as an integer of the same order: both zeros are one, and so are all NaN, above infinity.
    static int Ordered(int bits)
    {
        int magnitude = bits & int.MaxValue;
        if (magnitude > 0x7f800000) return int.MaxValue;
        return bits < 0 ? -magnitude : magnitude;
    }

    // Of entries that all differ, each has as many before it as are less.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Rank(long* entries, int* order, int count)
    {
        for (int lane = 0; lane < Lanes; lane++) entries[count + lane] = long.MaxValue;   // the last vector may be partial
        long* ranks = stackalloc long[Lanes];
        for (int i = 0; i < count; i += Lanes)
        {
            Vector256<long> low = Vector256.Load(entries + i), high = Vector256.Load(entries + i + 4);
            Vector256<long> lowRank = default, highRank = default;
            for (int k = 0; k < count; k++)
            {
                var other = Vector256.Create(entries[k]);
                lowRank -= Vector256.LessThan(other, low);
                highRank -= Vector256.LessThan(other, high);
            }
            lowRank.Store(ranks);
            highRank.Store(ranks + 4);
            for (int lane = 0; lane < Lanes && i + lane < count; lane++) order[ranks[lane]] = i + lane;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void ByDigits(long* entries, long* other, int* counts, int* order, int count)
    {
        new Span<int>(counts, Digits * Values).Clear();
        for (int i = 0; i < count; i++)
        {
            ulong key = Key(entries[i]);
            for (int digit = 0; digit < Digits; digit++) counts[digit * Values + (int)(key >> 8 * digit & 255)]++;
        }
        for (int digit = 0; digit < Digits; digit++)
        {
            int* places = counts + digit * Values;
            if (places[Key(entries[0]) >> 8 * digit & 255] == count) continue;   // one value for all
            int before = 0;
            for (int value = 0; value < Values; value++) (places[value], before) = (before, before + places[value]);
            for (int i = 0; i < count; i++)
            {
                long entry = entries[i];
                other[places[Key(entry) >> 8 * digit & 255]++] = entry;
            }
            long* sorted = other;
            other = entries;
            entries = sorted;
        }
        for (int i = 0; i < count; i++) order[i] = (int)entries[i];
    }

    // With the sign turned, bytes order as unsigned numbers.
    static ulong Key(long entry) => (ulong)entry >> 32 ^ 0x80000000;

    static void Merged<T>(T* keys, int* order, int* room, int count, bool descending) where T : unmanaged, IComparable<T>
    {
        for (int start = 0; start < count; start += Short) Insert(keys, order, start, Math.Min(start + Short, count), descending);
        int* from = order, to = room;
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

    static bool IsNaN<T>(T value) where T : unmanaged => typeof(T) == typeof(double) && double.IsNaN((double)(object)value);
}
