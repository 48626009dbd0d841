using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Ashlar.Backends.Cpu.Vec.Emit;

/// <summary>
/// What .NET's portable vectors lack in one call: small methods that generated code calls and RyuJIT inlines. Found by name and
/// types (<see cref="Intrinsics"/>); <see cref="Avx2Lanes"/> and <see cref="Avx512Lanes"/> come first on their paths.
/// </summary>
internal static unsafe class Lanes
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    [MethodImpl(Inline)] public static Vector128<T> Rsqrt<T>(Vector128<T> a) => Vector128<T>.One / Vector128.Sqrt(a);
    [MethodImpl(Inline)] public static Vector256<T> Rsqrt<T>(Vector256<T> a) => Vector256<T>.One / Vector256.Sqrt(a);
    [MethodImpl(Inline)] public static Vector512<T> Rsqrt<T>(Vector512<T> a) => Vector512<T>.One / Vector512.Sqrt(a);
    [MethodImpl(Inline)] public static Vector128<T> Recip<T>(Vector128<T> a) => Vector128<T>.One / a;
    [MethodImpl(Inline)] public static Vector256<T> Recip<T>(Vector256<T> a) => Vector256<T>.One / a;
    [MethodImpl(Inline)] public static Vector512<T> Recip<T>(Vector512<T> a) => Vector512<T>.One / a;

    // .NET's Min and Max of floats give NaN where either is NaN.
    [MethodImpl(Inline)] public static Vector128<T> MinNaN<T>(Vector128<T> a, Vector128<T> b) => Vector128.Min(a, b);
    [MethodImpl(Inline)] public static Vector256<T> MinNaN<T>(Vector256<T> a, Vector256<T> b) => Vector256.Min(a, b);
    [MethodImpl(Inline)] public static Vector512<T> MinNaN<T>(Vector512<T> a, Vector512<T> b) => Vector512.Min(a, b);
    [MethodImpl(Inline)] public static Vector128<T> MaxNaN<T>(Vector128<T> a, Vector128<T> b) => Vector128.Max(a, b);
    [MethodImpl(Inline)] public static Vector256<T> MaxNaN<T>(Vector256<T> a, Vector256<T> b) => Vector256.Max(a, b);
    [MethodImpl(Inline)] public static Vector512<T> MaxNaN<T>(Vector512<T> a, Vector512<T> b) => Vector512.Max(a, b);

    [MethodImpl(Inline)]
    public static Vector128<float> Select(Vector128<int> m, Vector128<float> a, Vector128<float> b) =>
        Vector128.ConditionalSelect(m.AsSingle(), a, b);
    [MethodImpl(Inline)]
    public static Vector128<int> Select(Vector128<int> m, Vector128<int> a, Vector128<int> b) =>
        Vector128.ConditionalSelect(m, a, b);
    [MethodImpl(Inline)]
    public static Vector128<double> Select(Vector128<long> m, Vector128<double> a, Vector128<double> b) =>
        Vector128.ConditionalSelect(m.AsDouble(), a, b);
    [MethodImpl(Inline)]
    public static Vector128<long> Select(Vector128<long> m, Vector128<long> a, Vector128<long> b) =>
        Vector128.ConditionalSelect(m, a, b);
    [MethodImpl(Inline)]
    public static Vector256<float> Select(Vector256<int> m, Vector256<float> a, Vector256<float> b) =>
        Vector256.ConditionalSelect(m.AsSingle(), a, b);
    [MethodImpl(Inline)]
    public static Vector256<int> Select(Vector256<int> m, Vector256<int> a, Vector256<int> b) =>
        Vector256.ConditionalSelect(m, a, b);
    [MethodImpl(Inline)]
    public static Vector256<double> Select(Vector256<long> m, Vector256<double> a, Vector256<double> b) =>
        Vector256.ConditionalSelect(m.AsDouble(), a, b);
    [MethodImpl(Inline)]
    public static Vector256<long> Select(Vector256<long> m, Vector256<long> a, Vector256<long> b) =>
        Vector256.ConditionalSelect(m, a, b);
    [MethodImpl(Inline)]
    public static Vector512<float> Select(Vector512<int> m, Vector512<float> a, Vector512<float> b) =>
        Vector512.ConditionalSelect(m.AsSingle(), a, b);
    [MethodImpl(Inline)]
    public static Vector512<int> Select(Vector512<int> m, Vector512<int> a, Vector512<int> b) =>
        Vector512.ConditionalSelect(m, a, b);
    [MethodImpl(Inline)]
    public static Vector512<double> Select(Vector512<long> m, Vector512<double> a, Vector512<double> b) =>
        Vector512.ConditionalSelect(m.AsDouble(), a, b);
    [MethodImpl(Inline)]
    public static Vector512<long> Select(Vector512<long> m, Vector512<long> a, Vector512<long> b) =>
        Vector512.ConditionalSelect(m, a, b);

    // Halves and doubles of what fills a 128-bit register or less.
    [MethodImpl(Inline)]
    public static Vector128<T> UpperOf4<T>(Vector128<T> a) =>
        Vector128.Shuffle(a.AsInt32(), Vector128.Create(2, 3, 2, 3)).As<int, T>();
    [MethodImpl(Inline)]
    public static Vector128<float> UpperOf2(Vector128<float> a) =>
        Vector128.Shuffle(a, Vector128.Create(1, 1, 1, 1));
    [MethodImpl(Inline)]
    public static Vector128<int> UpperOf2(Vector128<int> a) =>
        Vector128.Shuffle(a, Vector128.Create(1, 1, 1, 1));
    [MethodImpl(Inline)]
    public static Vector128<double> UpperOf2(Vector128<double> a) =>
        Vector128.Shuffle(a, Vector128.Create(1L, 1));
    [MethodImpl(Inline)]
    public static Vector128<long> UpperOf2(Vector128<long> a) =>
        Vector128.Shuffle(a, Vector128.Create(1L, 1));
    [MethodImpl(Inline)]
    public static Vector128<T> Concat2<T>(Vector128<T> a, Vector128<T> b) =>
        Vector128.Create(a.GetLower(), b.GetLower());
    [MethodImpl(Inline)] public static Vector128<T> Concat1<T>(Vector128<T> a, Vector128<T> b) => a.WithElement(1, b.ToScalar());

    [MethodImpl(Inline)] public static Vector128<T> Broadcast<T>(Vector128<T> a) => Vector128.Create(a.ToScalar());
    [MethodImpl(Inline)] public static Vector256<T> Broadcast256<T>(Vector128<T> a) => Vector256.Create(a.ToScalar());
    [MethodImpl(Inline)] public static Vector512<T> Broadcast512<T>(Vector128<T> a) => Vector512.Create(a.ToScalar());

    // Conversions. Same width first; .NET's float to integer truncates, saturates and gives 0 for NaN.
    [MethodImpl(Inline)] public static Vector128<float> ToF32(Vector128<int> a) => Vector128.ConvertToSingle(a);
    [MethodImpl(Inline)] public static Vector256<float> ToF32(Vector256<int> a) => Vector256.ConvertToSingle(a);
    [MethodImpl(Inline)] public static Vector512<float> ToF32(Vector512<int> a) => Vector512.ConvertToSingle(a);
    [MethodImpl(Inline)] public static Vector128<int> ToI32(Vector128<float> a) => Vector128.ConvertToInt32(a);
    [MethodImpl(Inline)] public static Vector256<int> ToI32(Vector256<float> a) => Vector256.ConvertToInt32(a);
    [MethodImpl(Inline)] public static Vector512<int> ToI32(Vector512<float> a) => Vector512.ConvertToInt32(a);
    [MethodImpl(Inline)] public static Vector128<double> ToF64(Vector128<long> a) => Vector128.ConvertToDouble(a);
    [MethodImpl(Inline)] public static Vector256<double> ToF64(Vector256<long> a) => Vector256.ConvertToDouble(a);
    [MethodImpl(Inline)] public static Vector512<double> ToF64(Vector512<long> a) => Vector512.ConvertToDouble(a);
    [MethodImpl(Inline)] public static Vector128<long> ToI64(Vector128<double> a) => Vector128.ConvertToInt64(a);
    [MethodImpl(Inline)] public static Vector256<long> ToI64(Vector256<double> a) => Vector256.ConvertToInt64(a);
    [MethodImpl(Inline)] public static Vector512<long> ToI64(Vector512<double> a) => Vector512.ConvertToInt64(a);

    // Widening and narrowing of one kind.
    [MethodImpl(Inline)] public static Vector128<double> ToF64(Vector128<float> a) => Vector128.WidenLower(a);
    [MethodImpl(Inline)]
    public static Vector256<double> ToF64Wide(Vector128<float> a) =>
        Vector256.Create(Vector128.WidenLower(a), Vector128.WidenUpper(a));
    [MethodImpl(Inline)]
    public static Vector512<double> ToF64(Vector256<float> a) =>
        Vector512.Create(ToF64Wide(a.GetLower()), ToF64Wide(a.GetUpper()));
    [MethodImpl(Inline)] public static Vector128<float> ToF32(Vector128<double> a) => Vector128.Narrow(a, a);
    [MethodImpl(Inline)]
    public static Vector128<float> ToF32(Vector256<double> a) =>
        Vector128.Narrow(a.GetLower(), a.GetUpper());
    [MethodImpl(Inline)]
    public static Vector256<float> ToF32(Vector512<double> a) =>
        Vector256.Create(ToF32(a.GetLower()), ToF32(a.GetUpper()));
    [MethodImpl(Inline)] public static Vector128<long> ToI64(Vector128<int> a) => Vector128.WidenLower(a);
    [MethodImpl(Inline)]
    public static Vector256<long> ToI64Wide(Vector128<int> a) =>
        Vector256.Create(Vector128.WidenLower(a), Vector128.WidenUpper(a));
    [MethodImpl(Inline)]
    public static Vector512<long> ToI64(Vector256<int> a) =>
        Vector512.Create(ToI64Wide(a.GetLower()), ToI64Wide(a.GetUpper()));
    [MethodImpl(Inline)] public static Vector128<int> ToI32(Vector128<long> a) => Vector128.Narrow(a, a);
    [MethodImpl(Inline)] public static Vector128<int> ToI32(Vector256<long> a) => Vector128.Narrow(a.GetLower(), a.GetUpper());
    [MethodImpl(Inline)]
    public static Vector256<int> ToI32(Vector512<long> a) =>
        Vector256.Create(ToI32(a.GetLower()), ToI32(a.GetUpper()));

    // Both kind and width. Integers of 64 bits to float32 round once: lane by lane, as no portable vector form does.
    [MethodImpl(Inline)] public static Vector128<double> ToF64(Vector128<int> a) => ToF64(ToI64(a));
    [MethodImpl(Inline)] public static Vector256<double> ToF64Wide(Vector128<int> a) => ToF64(ToI64Wide(a));
    [MethodImpl(Inline)] public static Vector512<double> ToF64(Vector256<int> a) => ToF64(ToI64(a));
    [MethodImpl(Inline)] public static Vector128<long> ToI64(Vector128<float> a) => ToI64(ToF64(a));
    [MethodImpl(Inline)] public static Vector256<long> ToI64Wide(Vector128<float> a) => ToI64(ToF64Wide(a));
    [MethodImpl(Inline)] public static Vector512<long> ToI64(Vector256<float> a) => ToI64(ToF64(a));
    [MethodImpl(Inline)] public static Vector128<int> ToI32(Vector128<double> a) => ToI32(ToI64(Limit(a)));
    [MethodImpl(Inline)] public static Vector128<int> ToI32(Vector256<double> a) => ToI32(ToI64(Limit(a)));
    [MethodImpl(Inline)] public static Vector256<int> ToI32(Vector512<double> a) => ToI32(ToI64(Limit(a)));
    [MethodImpl(Inline)] public static Vector128<float> ToF32(Vector128<long> a) => Vector128.Create((float)a[0], a[1], 0, 0);
    [MethodImpl(Inline)]
    public static Vector128<float> ToF32(Vector256<long> a) =>
        Vector128.Create((float)a[0], a[1], a[2], a[3]);
    [MethodImpl(Inline)]
    public static Vector256<float> ToF32(Vector512<long> a) =>
        Vector256.Create(ToF32(a.GetLower()), ToF32(a.GetUpper()));

    // Into the range of int32; NaN stays.
    [MethodImpl(Inline)]
    static Vector128<double> Limit(Vector128<double> a) =>
        Vector128.Min(Vector128.Max(a, Vector128.Create((double)int.MinValue)), Vector128.Create((double)int.MaxValue));
    [MethodImpl(Inline)]
    static Vector256<double> Limit(Vector256<double> a) =>
        Vector256.Min(Vector256.Max(a, Vector256.Create((double)int.MinValue)), Vector256.Create((double)int.MaxValue));
    [MethodImpl(Inline)]
    static Vector512<double> Limit(Vector512<double> a) =>
        Vector512.Min(Vector512.Max(a, Vector512.Create((double)int.MinValue)), Vector512.Create((double)int.MaxValue));

    // Narrow integers in memory.
    [MethodImpl(Inline)] public static Vector128<int> LoadU8x1(nint p) => Vector128.CreateScalar((int)*(byte*)p);
    [MethodImpl(Inline)] public static Vector128<int> LoadI8x1(nint p) => Vector128.CreateScalar((int)*(sbyte*)p);
    [MethodImpl(Inline)] public static Vector128<int> LoadU16x1(nint p) => Vector128.CreateScalar((int)*(ushort*)p);
    [MethodImpl(Inline)] public static Vector128<int> LoadI16x1(nint p) => Vector128.CreateScalar((int)*(short*)p);
    [MethodImpl(Inline)]
    public static Vector128<int> LoadU8x2(nint p) =>
        Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(*(ushort*)p).AsByte())).AsInt32();
    [MethodImpl(Inline)]
    public static Vector128<int> LoadI8x2(nint p) =>
        Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(*(ushort*)p).AsSByte()));
    [MethodImpl(Inline)]
    public static Vector128<int> LoadU16x2(nint p) =>
        Vector128.WidenLower(Vector128.CreateScalar(*(uint*)p).AsUInt16()).AsInt32();
    [MethodImpl(Inline)]
    public static Vector128<int> LoadI16x2(nint p) =>
        Vector128.WidenLower(Vector128.CreateScalar(*(uint*)p).AsInt16());
    [MethodImpl(Inline)]
    public static Vector128<int> LoadU8x4(nint p) =>
        Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(*(uint*)p).AsByte())).AsInt32();
    [MethodImpl(Inline)]
    public static Vector128<int> LoadI8x4(nint p) =>
        Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(*(uint*)p).AsSByte()));
    [MethodImpl(Inline)]
    public static Vector128<int> LoadU16x4(nint p) =>
        Vector128.WidenLower(Vector128.CreateScalar(*(ulong*)p).AsUInt16()).AsInt32();
    [MethodImpl(Inline)]
    public static Vector128<int> LoadI16x4(nint p) =>
        Vector128.WidenLower(Vector128.CreateScalar(*(ulong*)p).AsInt16());
    [MethodImpl(Inline)] public static Vector256<int> LoadU8x8(nint p) => Vector256.Create(LoadU8x4(p), LoadU8x4(p + 4));
    [MethodImpl(Inline)] public static Vector256<int> LoadI8x8(nint p) => Vector256.Create(LoadI8x4(p), LoadI8x4(p + 4));
    [MethodImpl(Inline)] public static Vector256<int> LoadU16x8(nint p) => Vector256.Create(LoadU16x4(p), LoadU16x4(p + 8));
    [MethodImpl(Inline)] public static Vector256<int> LoadI16x8(nint p) => Vector256.Create(LoadI16x4(p), LoadI16x4(p + 8));
    [MethodImpl(Inline)] public static Vector512<int> LoadU8x16(nint p) => Vector512.Create(LoadU8x8(p), LoadU8x8(p + 8));
    [MethodImpl(Inline)] public static Vector512<int> LoadI8x16(nint p) => Vector512.Create(LoadI8x8(p), LoadI8x8(p + 8));
    [MethodImpl(Inline)] public static Vector512<int> LoadU16x16(nint p) => Vector512.Create(LoadU16x8(p), LoadU16x8(p + 16));
    [MethodImpl(Inline)] public static Vector512<int> LoadI16x16(nint p) => Vector512.Create(LoadI16x8(p), LoadI16x8(p + 16));

    [MethodImpl(Inline)] public static Vector128<short> Shorts(Vector128<int> a) => Vector128.Narrow(a, a);
    [MethodImpl(Inline)] public static Vector128<short> Shorts(Vector256<int> a) => Vector128.Narrow(a.GetLower(), a.GetUpper());
    [MethodImpl(Inline)]
    public static Vector256<short> Shorts(Vector512<int> a) =>
        Vector256.Create(Shorts(a.GetLower()), Shorts(a.GetUpper()));
    [MethodImpl(Inline)] public static Vector128<sbyte> Bytes(Vector128<int> a) => Vector128.Narrow(Shorts(a), Shorts(a));
    [MethodImpl(Inline)] public static Vector128<sbyte> Bytes(Vector256<int> a) => Vector128.Narrow(Shorts(a), Shorts(a));
    [MethodImpl(Inline)]
    public static Vector128<sbyte> Bytes(Vector512<int> a) =>
        Vector128.Narrow(Shorts(a.GetLower()), Shorts(a.GetUpper()));

    [MethodImpl(Inline)] public static void StoreI8x1(Vector128<int> a, nint p) => *(byte*)p = (byte)a.ToScalar();
    [MethodImpl(Inline)] public static void StoreI16x1(Vector128<int> a, nint p) => *(short*)p = (short)a.ToScalar();
    [MethodImpl(Inline)] public static void StoreI8x2(Vector128<int> a, nint p) => *(short*)p = Bytes(a).AsInt16().ToScalar();
    [MethodImpl(Inline)] public static void StoreI16x2(Vector128<int> a, nint p) => *(int*)p = Shorts(a).AsInt32().ToScalar();
    [MethodImpl(Inline)] public static void StoreI8x4(Vector128<int> a, nint p) => *(int*)p = Bytes(a).AsInt32().ToScalar();
    [MethodImpl(Inline)] public static void StoreI16x4(Vector128<int> a, nint p) => *(long*)p = Shorts(a).AsInt64().ToScalar();
    [MethodImpl(Inline)] public static void StoreI8x8(Vector256<int> a, nint p) => *(long*)p = Bytes(a).AsInt64().ToScalar();
    [MethodImpl(Inline)] public static void StoreI16x8(Vector256<int> a, nint p) => Shorts(a).Store((short*)p);
    [MethodImpl(Inline)] public static void StoreI8x16(Vector512<int> a, nint p) => Bytes(a).Store((sbyte*)p);
    [MethodImpl(Inline)] public static void StoreI16x16(Vector512<int> a, nint p) => Shorts(a).Store((short*)p);
    [MethodImpl(Inline)] public static void StreamI16x8(Vector256<int> a, nint p) => Shorts(a).StoreAlignedNonTemporal((short*)p);
    [MethodImpl(Inline)] public static void StreamI8x16(Vector512<int> a, nint p) => Bytes(a).StoreAlignedNonTemporal((sbyte*)p);
    [MethodImpl(Inline)]
    public static void StreamI16x16(Vector512<int> a, nint p) =>
        Shorts(a).StoreAlignedNonTemporal((short*)p);

    // An asking for a cache line is only advice; the portable vocabulary has no word for it.
    [MethodImpl(Inline)] public static void Prefetch(nint p) => _ = p;
    [MethodImpl(Inline)] public static void PrefetchFar(nint p) => _ = p;
    [MethodImpl(Inline)] public static void Fence() => Interlocked.MemoryBarrier();
}
