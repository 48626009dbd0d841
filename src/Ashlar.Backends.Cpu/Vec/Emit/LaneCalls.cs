using System.Runtime.CompilerServices;
using Ashlar.Backends.Cpu.Vec;

namespace Ashlar.Backends.Cpu.Vec.Emit;

/// <summary>Operations done lane by lane in C#: what no vector instruction does, or what is too rare to expand.</summary>
/// <remarks>Vectors come and go as their bytes; <c>lanes</c> says how many of them mean something.</remarks>
internal static unsafe class LaneCalls
{
    const MethodImplOptions Call = MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization;

    /// <summary>One lane of an operation; one-operand operations ignore the second.</summary>
    internal interface ILane<T>
    {
        static abstract T Apply(T a, T b);
    }

    [MethodImpl(Call)]
    public static TVector Map<TVector, T, TLane>(TVector a, TVector b, int lanes)
        where TVector : unmanaged where T : unmanaged where TLane : struct, ILane<T>
    {
        TVector result = default;
        T* x = (T*)&a, y = (T*)&b, r = (T*)&result;
        for (int i = 0; i < lanes; i++) r[i] = TLane.Apply(x[i], y[i]);
        return result;
    }

    /// <summary>Lane i is element <c>index[i]</c> from <paramref name="p"/>, as its bits in memory, narrow integers
    /// widened.</summary>
    [MethodImpl(Call)]
    public static TVector Gather<TVector, TIndices>(nint p, TIndices index, int lanes, int wideIndex, int storage)
        where TVector : unmanaged where TIndices : unmanaged
    {
        TVector result = default;
        byte* r = (byte*)&result;
        for (int i = 0; i < lanes; i++)
        {
            Read(r, i, p, wideIndex != 0 ? ((long*)&index)[i] : ((int*)&index)[i], (DType)storage);
        }
        return result;
    }

    /// <summary>The same where lane i of the mask is set; other lanes are 0 and touch no memory.</summary>
    [MethodImpl(Call)]
    public static TVector GatherWhere<TVector, TIndices, TMask>(nint p, TIndices index, TMask mask, int lanes,
        int wideIndex, int storage)
        where TVector : unmanaged where TIndices : unmanaged where TMask : unmanaged
    {
        TVector result = default;
        byte* r = (byte*)&result;
        bool wide = ((DType)storage).Bytes == 8;
        for (int i = 0; i < lanes; i++)
        {
            if ((wide ? ((long*)&mask)[i] : ((int*)&mask)[i]) == 0) continue;
            Read(r, i, p, wideIndex != 0 ? ((long*)&index)[i] : ((int*)&index)[i], (DType)storage);
        }
        return result;
    }

    // One element into one lane; types below four bytes are widened, half floats as their bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Read(byte* lanes, int lane, nint p, long at, DType storage)
    {
        switch (storage)
        {
            case DType.Bool or DType.UInt8: ((int*)lanes)[lane] = ((byte*)p)[at]; break;
            case DType.Int8: ((int*)lanes)[lane] = ((sbyte*)p)[at]; break;
            case DType.Int16: ((int*)lanes)[lane] = ((short*)p)[at]; break;
            case DType.BFloat16 or DType.Float16: ((int*)lanes)[lane] = ((ushort*)p)[at]; break;
            case DType.Int32 or DType.Float32: ((int*)lanes)[lane] = ((int*)p)[at]; break;
            default: ((long*)lanes)[lane] = ((long*)p)[at]; break;
        }
    }

    /// <summary>Writes lane i to element <c>index[i]</c> from <paramref name="p"/> where lane i of the mask is set.</summary>
    [MethodImpl(Call)]
    public static void Scatter<TVector, TIndices, TMask>(TVector value, nint p, TIndices index, TMask mask, int lanes,
        int wideIndex, int storage)
        where TVector : unmanaged where TIndices : unmanaged where TMask : unmanaged
    {
        byte* v = (byte*)&value;
        bool wide = ((DType)storage).Bytes == 8;
        if (wideIndex == 0 && ((DType)storage).Bytes == 4)
        {
            // What is scattered most, without a choice per lane.
            for (int i = 0; i < lanes; i++)
                if (((int*)&mask)[i] != 0) ((int*)p)[((int*)&index)[i]] = ((int*)v)[i];
            return;
        }
        for (int i = 0; i < lanes; i++)
        {
            if ((wide ? ((long*)&mask)[i] : ((int*)&mask)[i]) == 0) continue;
            long at = wideIndex != 0 ? ((long*)&index)[i] : ((int*)&index)[i];
            switch (((DType)storage).Bytes)
            {
                case 1: ((byte*)p)[at] = (byte)((int*)v)[i]; break;
                case 2: ((short*)p)[at] = (short)((int*)v)[i]; break;
                case 4: ((int*)p)[at] = ((int*)v)[i]; break;
                default: ((long*)p)[at] = ((long*)v)[i]; break;
            }
        }
    }

    /// <summary>The type of the lane operation for an operation and element; null where there is none.</summary>
    public static Type? Of(VecOp op, Elem elem) => (op, elem) switch
    {
        (VecOp.Div, Elem.I32) => typeof(DivI32),
        (VecOp.Div, Elem.I64) => typeof(DivI64),
        (VecOp.Rem, Elem.I32) => typeof(RemI32),
        (VecOp.Rem, Elem.I64) => typeof(RemI64),
        (VecOp.FloorDiv, Elem.I32) => typeof(FloorDivI32),
        (VecOp.FloorDiv, Elem.I64) => typeof(FloorDivI64),
        (VecOp.FloorMod, Elem.I32) => typeof(FloorModI32),
        (VecOp.FloorMod, Elem.I64) => typeof(FloorModI64),
        (VecOp.FloorMod, Elem.F32) => typeof(FloorModF32),
        (VecOp.FloorMod, Elem.F64) => typeof(FloorModF64),
        (VecOp.Shl, Elem.I32) => typeof(ShlI32),
        (VecOp.Shl, Elem.I64) => typeof(ShlI64),
        (VecOp.Sar, Elem.I32) => typeof(SarI32),
        (VecOp.Sar, Elem.I64) => typeof(SarI64),
        (VecOp.Shr, Elem.I32) => typeof(ShrI32),
        (VecOp.Shr, Elem.I64) => typeof(ShrI64),
        (VecOp.SinCall, Elem.F32) => typeof(SinF32),
        (VecOp.SinCall, Elem.F64) => typeof(SinF64),
        (VecOp.CosCall, Elem.F32) => typeof(CosF32),
        (VecOp.CosCall, Elem.F64) => typeof(CosF64),
        (VecOp.PowCall, Elem.F32) => typeof(PowF32),
        (VecOp.PowCall, Elem.F64) => typeof(PowF64),
        (VecOp.PowCall, Elem.I32) => typeof(PowI32),
        (VecOp.PowCall, Elem.I64) => typeof(PowI64),
        (VecOp.ErfCall, Elem.F32) => typeof(ErfF32),
        (VecOp.ErfCall, Elem.F64) => typeof(ErfF64),
        _ => null,
    };

    readonly struct DivI32 : ILane<int> { public static int Apply(int a, int b) => Scalars.Div(a, b); }
    readonly struct DivI64 : ILane<long> { public static long Apply(long a, long b) => Scalars.Div(a, b); }
    readonly struct RemI32 : ILane<int> { public static int Apply(int a, int b) => Scalars.Rem(a, b); }
    readonly struct RemI64 : ILane<long> { public static long Apply(long a, long b) => Scalars.Rem(a, b); }
    readonly struct FloorDivI32 : ILane<int> { public static int Apply(int a, int b) => Scalars.FloorDiv(a, b); }
    readonly struct FloorDivI64 : ILane<long> { public static long Apply(long a, long b) => Scalars.FloorDiv(a, b); }
    readonly struct FloorModI32 : ILane<int> { public static int Apply(int a, int b) => Scalars.FloorMod(a, b); }
    readonly struct FloorModI64 : ILane<long> { public static long Apply(long a, long b) => Scalars.FloorMod(a, b); }
    readonly struct ShlI32 : ILane<int> { public static int Apply(int a, int n) => (uint)n < 32 ? a << n : 0; }
    readonly struct ShlI64 : ILane<long> { public static long Apply(long a, long n) => (ulong)n < 64 ? a << (int)n : 0; }
    readonly struct SarI32 : ILane<int> { public static int Apply(int a, int n) => a >> ((uint)n < 32 ? n : 31); }
    readonly struct SarI64 : ILane<long> { public static long Apply(long a, long n) => a >> ((ulong)n < 64 ? (int)n : 63); }
    readonly struct ShrI32 : ILane<int> { public static int Apply(int a, int n) => (uint)n < 32 ? a >>> n : 0; }
    readonly struct ShrI64 : ILane<long> { public static long Apply(long a, long n) => (ulong)n < 64 ? a >>> (int)n : 0; }
    readonly struct SinF32 : ILane<float> { public static float Apply(float a, float b) => (float)Math.Sin(a); }
    readonly struct SinF64 : ILane<double> { public static double Apply(double a, double b) => Math.Sin(a); }
    readonly struct CosF32 : ILane<float> { public static float Apply(float a, float b) => (float)Math.Cos(a); }
    readonly struct CosF64 : ILane<double> { public static double Apply(double a, double b) => Math.Cos(a); }
    readonly struct PowF32 : ILane<float> { public static float Apply(float a, float b) => (float)Math.Pow(a, b); }
    readonly struct PowF64 : ILane<double> { public static double Apply(double a, double b) => Math.Pow(a, b); }
    readonly struct PowI32 : ILane<int> { public static int Apply(int a, int b) => (int)Scalars.Power(a, b); }
    readonly struct PowI64 : ILane<long> { public static long Apply(long a, long b) => Scalars.Power(a, b); }
    readonly struct ErfF32 : ILane<float> { public static float Apply(float a, float b) => (float)Functions.Erf(a); }
    readonly struct ErfF64 : ILane<double> { public static double Apply(double a, double b) => Functions.Erf(a); }

    readonly struct FloorModF64 : ILane<double>
    {
        public static double Apply(double a, double b)
        {
            double remainder = a % b;   // exact, with the sign of a
            return remainder != 0 && remainder < 0 != b < 0 ? remainder + b : remainder;
        }
    }

    readonly struct FloorModF32 : ILane<float>
    {
        public static float Apply(float a, float b)
        {
            float remainder = a % b;
            return remainder != 0 && remainder < 0 != b < 0 ? remainder + b : remainder;
        }
    }
}
