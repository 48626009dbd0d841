using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Ashlar.Backends.Cpu;

/// <summary>One vector width, as the limit kernels need it; every call becomes one instruction.</summary>
unsafe interface IVectorWidth<TVector>
{
    static abstract TVector Fill(float value);
    static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);
    static abstract TVector Xor(TVector a, TVector b);
    static abstract TVector Load(float* from);
    static abstract void Store(TVector value, float* to);
    static abstract void StoreStreaming(TVector value, float* to);
    static abstract float Sum(TVector value);
}

readonly unsafe struct Width512 : IVectorWidth<Vector512<float>>
{
    public static Vector512<float> Fill(float value) => Vector512.Create(value);
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Vector512.MultiplyAddEstimate(a, b, c);
    public static Vector512<float> Xor(Vector512<float> a, Vector512<float> b) => a ^ b;
    public static Vector512<float> Load(float* from) => Vector512.LoadAligned(from);
    public static void Store(Vector512<float> value, float* to) => value.StoreAligned(to);
    public static void StoreStreaming(Vector512<float> value, float* to) => value.StoreAlignedNonTemporal(to);
    public static float Sum(Vector512<float> value) => Vector512.Sum(value);
}

readonly unsafe struct Width256 : IVectorWidth<Vector256<float>>
{
    public static Vector256<float> Fill(float value) => Vector256.Create(value);
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Vector256.MultiplyAddEstimate(a, b, c);
    public static Vector256<float> Xor(Vector256<float> a, Vector256<float> b) => a ^ b;
    public static Vector256<float> Load(float* from) => Vector256.LoadAligned(from);
    public static void Store(Vector256<float> value, float* to) => value.StoreAligned(to);
    public static void StoreStreaming(Vector256<float> value, float* to) => value.StoreAlignedNonTemporal(to);
    public static float Sum(Vector256<float> value) => Vector256.Sum(value);
}

readonly unsafe struct Width128 : IVectorWidth<Vector128<float>>
{
    public static Vector128<float> Fill(float value) => Vector128.Create(value);
    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) =>
        Vector128.MultiplyAddEstimate(a, b, c);
    public static Vector128<float> Xor(Vector128<float> a, Vector128<float> b) => a ^ b;
    public static Vector128<float> Load(float* from) => Vector128.LoadAligned(from);
    public static void Store(Vector128<float> value, float* to) => value.StoreAligned(to);
    public static void StoreStreaming(Vector128<float> value, float* to) => value.StoreAlignedNonTemporal(to);
    public static float Sum(Vector128<float> value) => Vector128.Sum(value);
}

/// <summary>What a limit kernel works on; one for all workers.</summary>
unsafe struct LimitWork
{
    public float* A;                   // the first half of the set, or all of it
    public float* B;                   // the second half
    public long Bytes;                 // of A, and of B where it is used
    public long Times;                 // how often to go through
    public void* Code;                 // assembled loop
    public void* Config;               // its tile configuration
    public float* Sums;                // 16 floats per worker: what was read ends here, so that reading is not optimised away
}

/// <summary>The bodies that measure a limit: nothing but the work itself. Signature as <see cref="Workers"/> takes it.</summary>
/// <remarks>
/// Each worker goes through one contiguous range of memory, but through eight pages of 4 KiB side by side: the hardware
/// prefetches each page by itself, and one page at a time leaves it half idle. Against a single front, a Sapphire Rapids
/// machine reads 1.7 times and copies with streaming stores 1.4 times as fast; software prefetch adds nothing to it there.
/// </remarks>
static unsafe class LimitKernels<TWidth, TVector>
    where TWidth : struct, IVectorWidth<TVector>
    where TVector : unmanaged
{
    const int StepBytes = 256, PageBytes = 4096, Pages = 8, BlockBytes = Pages * PageBytes;

    /// <summary>Vectors that one iteration of <see cref="Fma"/> multiplies and adds.</summary>
    public const int FmaVectors = 12;

    /// <summary>Twelve independent sums hide the latency of up to three units, and fit 16 registers with their
    /// operands.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Fma(void* state, int worker, int workers)
    {
        var work = (LimitWork*)state;
        TVector x = TWidth.Fill(work->Sums[16 * worker]), y = TWidth.Fill(1e-9f);
        TVector s0 = x, s1 = x, s2 = x, s3 = x, s4 = x, s5 = x, s6 = x, s7 = x, s8 = x, s9 = x, s10 = x, s11 = x;
        for (long i = work->Times; i > 0; i--)
        {
            s0 = TWidth.MultiplyAdd(x, y, s0);
            s1 = TWidth.MultiplyAdd(x, y, s1);
            s2 = TWidth.MultiplyAdd(x, y, s2);
            s3 = TWidth.MultiplyAdd(x, y, s3);
            s4 = TWidth.MultiplyAdd(x, y, s4);
            s5 = TWidth.MultiplyAdd(x, y, s5);
            s6 = TWidth.MultiplyAdd(x, y, s6);
            s7 = TWidth.MultiplyAdd(x, y, s7);
            s8 = TWidth.MultiplyAdd(x, y, s8);
            s9 = TWidth.MultiplyAdd(x, y, s9);
            s10 = TWidth.MultiplyAdd(x, y, s10);
            s11 = TWidth.MultiplyAdd(x, y, s11);
        }
        s0 = TWidth.Xor(TWidth.Xor(TWidth.Xor(s0, s1), TWidth.Xor(s2, s3)), TWidth.Xor(TWidth.Xor(s4, s5), TWidth.Xor(s6, s7)));
        s8 = TWidth.Xor(TWidth.Xor(s8, s9), TWidth.Xor(s10, s11));
        work->Sums[16 * worker + 1] = TWidth.Sum(TWidth.Xor(s0, s8));
    }

    /// <summary>What happens to 256 bytes of memory.</summary>
    interface IStep
    {
        /// <summary>Works on the 256 bytes at A and at B, which lies <paramref name="toB"/> behind.</summary>
        static abstract TVector At(byte* a, long toB, TVector sum);
    }

    /// <summary>Reads A.</summary>
    public static void Read(void* state, int worker, int workers) => Walk<ReadStep>((LimitWork*)state, worker, workers);

    /// <summary>Writes A through the caches, which read it first.</summary>
    public static void Write(void* state, int worker, int workers) => Walk<WriteStep>((LimitWork*)state, worker, workers);

    /// <summary>Writes A past the caches.</summary>
    public static void WriteStreaming(void* state, int worker, int workers) =>
        Walk<WriteStreamingStep>((LimitWork*)state, worker, workers);

    /// <summary>Copies A to B through the caches.</summary>
    public static void Copy(void* state, int worker, int workers) => Walk<CopyStep>((LimitWork*)state, worker, workers);

    /// <summary>Copies A to B, writing past the caches.</summary>
    public static void CopyStreaming(void* state, int worker, int workers) =>
        Walk<CopyStreamingStep>((LimitWork*)state, worker, workers);

    /// <summary>Reads A, changes it, and writes it back.</summary>
    public static void InPlace(void* state, int worker, int workers) => Walk<InPlaceStep>((LimitWork*)state, worker, workers);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Walk<TStep>(LimitWork* work, int worker, int workers) where TStep : struct, IStep
    {
        var (start, end) = EvenRange.Of(work->Bytes, worker, workers, BlockBytes);
        long toB = (byte*)work->B - (byte*)work->A;
        TVector s0 = TWidth.Fill(1), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
        for (long block = start; block < end; block += BlockBytes)
        {
            byte* a = (byte*)work->A + block;
            for (int i = 0; i < PageBytes; i += StepBytes)
            {
                s0 = TStep.At(a + i, toB, s0);
                s1 = TStep.At(a + i + PageBytes, toB, s1);
                s2 = TStep.At(a + i + 2 * PageBytes, toB, s2);
                s3 = TStep.At(a + i + 3 * PageBytes, toB, s3);
                s4 = TStep.At(a + i + 4 * PageBytes, toB, s4);
                s5 = TStep.At(a + i + 5 * PageBytes, toB, s5);
                s6 = TStep.At(a + i + 6 * PageBytes, toB, s6);
                s7 = TStep.At(a + i + 7 * PageBytes, toB, s7);
            }
        }
        if (Sse.IsSupported) Sse.StoreFence();                        // streaming stores end before the clock is read
        s0 = TWidth.Xor(TWidth.Xor(TWidth.Xor(s0, s1), TWidth.Xor(s2, s3)), TWidth.Xor(TWidth.Xor(s4, s5), TWidth.Xor(s6, s7)));
        work->Sums[16 * worker + 1] = TWidth.Sum(s0);
    }

    readonly struct ReadStep : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector At(byte* a, long toB, TVector sum)
        {
            for (int i = 0; i < StepBytes; i += sizeof(TVector)) sum = TWidth.Xor(sum, TWidth.Load((float*)(a + i)));
            return sum;
        }
    }

    readonly struct WriteStep : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector At(byte* a, long toB, TVector sum)
        {
            for (int i = 0; i < StepBytes; i += sizeof(TVector)) TWidth.Store(sum, (float*)(a + i));
            return sum;
        }
    }

    readonly struct WriteStreamingStep : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector At(byte* a, long toB, TVector sum)
        {
            for (int i = 0; i < StepBytes; i += sizeof(TVector)) TWidth.StoreStreaming(sum, (float*)(a + i));
            return sum;
        }
    }

    readonly struct CopyStep : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector At(byte* a, long toB, TVector sum)
        {
            for (int i = 0; i < StepBytes; i += sizeof(TVector))
                TWidth.Store(TWidth.Load((float*)(a + i)), (float*)(a + toB + i));
            return sum;
        }
    }

    readonly struct CopyStreamingStep : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector At(byte* a, long toB, TVector sum)
        {
            for (int i = 0; i < StepBytes; i += sizeof(TVector))
                TWidth.StoreStreaming(TWidth.Load((float*)(a + i)), (float*)(a + toB + i));
            return sum;
        }
    }

    readonly struct InPlaceStep : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector At(byte* a, long toB, TVector sum)
        {
            for (int i = 0; i < StepBytes; i += sizeof(TVector))
                TWidth.Store(TWidth.Xor(TWidth.Load((float*)(a + i)), TWidth.Fill(-0f)), (float*)(a + i));
            return sum;
        }
    }

    /// <summary>Reads each worker's own A, small enough for a cache, many times: no prefetch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ReadCached(void* state, int worker, int workers)
    {
        var work = (LimitWork*)state;
        byte* start = (byte*)work->A + worker * work->Bytes, end = start + work->Bytes;
        TVector s0 = TWidth.Fill(0), s1 = s0, s2 = s0, s3 = s0;
        for (long i = work->Times; i > 0; i--)
            for (byte* a = start; a < end; a += 8 * sizeof(TVector))
            {
                s0 = TWidth.Xor(s0, Load(a, 0));
                s1 = TWidth.Xor(s1, Load(a, 1));
                s2 = TWidth.Xor(s2, Load(a, 2));
                s3 = TWidth.Xor(s3, Load(a, 3));
                s0 = TWidth.Xor(s0, Load(a, 4));
                s1 = TWidth.Xor(s1, Load(a, 5));
                s2 = TWidth.Xor(s2, Load(a, 6));
                s3 = TWidth.Xor(s3, Load(a, 7));
            }
        work->Sums[16 * worker + 1] = TWidth.Sum(TWidth.Xor(TWidth.Xor(s0, s1), TWidth.Xor(s2, s3)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector Load(byte* at, int vector) => TWidth.Load((float*)(at + vector * sizeof(TVector)));
}
