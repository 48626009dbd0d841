using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Vec;

namespace Ashlar.Tests.Cpu;

public class VecEmitterTests
{
    public static TheoryData<string> Paths => VecRun.Paths;

    static readonly float[] specials =
        [0, -0f, 1, -1, 0.5f, 1.5f, 2.5f, -2.5f, 3.7f, -3.7f, float.NaN, float.PositiveInfinity, float.NegativeInfinity,
         float.Epsilon, -float.Epsilon, float.MaxValue, float.MinValue, 1e-38f, 2147483648f, -2147483648f, 9.3e18f, 1e20f,
         -1e20f, 16777217f];

    static readonly int[] specialInts = [0, 1, -1, 2, -2, 3, 7, -7, 31, 32, 33, 63, 64, 100, int.MaxValue, int.MinValue];

    // Every pair of the special values, padded to whole vectors.
    static (T[] A, T[] B) Pairs<T>(T[] values)
    {
        var a = values.SelectMany(x => values.Select(_ => x)).ToList();
        var b = values.SelectMany(_ => values).ToList();
        while (a.Count % 16 != 0)
        {
            a.Add(values[0]);
            b.Add(values[0]);
        }
        return ([.. a], [.. b]);
    }

    static void Same(double expected, double actual, string what)
    {
        if (double.IsNaN(expected) ? double.IsNaN(actual) : expected == actual) return;
        Assert.Fail($"{what}: expected {expected:R}, got {actual:R}");
    }

    [Fact]
    public void LowHalves_LieSideBySide()
    {
        if (!Isa.Available.Contains(Isa.Avx512)) return;
        int[] numbers = [.. Enumerable.Range(0, 32).Select(i => i * 70001 - 900000)];
        var result = new short[32];
        var f = VecBuilder.Kernel("halves", Isa.Avx512);
        Reg Part(int i) => f.Load(new(Elem.I32, 16), DType.Int32, VecBuilder.At(f.Buffer(1), 64 * i));
        f.Store(VecBuilder.At(f.Buffer(0)), DType.Int32, f.LowHalves(Part(0), Part(1)));
        VecRun.Run(f.Build(), 0, 1, [], result, numbers);
        Assert.Equal(numbers.Select(number => (short)number), result);
    }

    [Theory, MemberData(nameof(Paths))]
    public void FloatOperations_MatchScalars(string path)
    {
        var isa = VecRun.Parse(path);
        (VecOp Op, Func<float, float, float> F, Func<double, double, double> D)[] operations =
        [
            (VecOp.Neg, (a, _) => -a, (a, _) => -a), (VecOp.Abs, (a, _) => Math.Abs(a), (a, _) => Math.Abs(a)),
            (VecOp.Sqrt, (a, _) => MathF.Sqrt(a), (a, _) => Math.Sqrt(a)),
            (VecOp.Rsqrt, (a, _) => 1 / MathF.Sqrt(a), (a, _) => 1 / Math.Sqrt(a)),
            (VecOp.Recip, (a, _) => 1 / a, (a, _) => 1 / a),
            (VecOp.Floor, (a, _) => MathF.Floor(a), (a, _) => Math.Floor(a)),
            (VecOp.Ceil, (a, _) => MathF.Ceiling(a), (a, _) => Math.Ceiling(a)),
            (VecOp.Round, (a, _) => MathF.Round(a), (a, _) => Math.Round(a)),
            (VecOp.Trunc, (a, _) => MathF.Truncate(a), (a, _) => Math.Truncate(a)),
            (VecOp.Add, (a, b) => a + b, (a, b) => a + b), (VecOp.Sub, (a, b) => a - b, (a, b) => a - b),
            (VecOp.Mul, (a, b) => a * b, (a, b) => a * b), (VecOp.Div, (a, b) => a / b, (a, b) => a / b),
            (VecOp.Min, MathF.Min, Math.Min), (VecOp.Max, MathF.Max, Math.Max),
            (VecOp.FloorMod, (a, b) => (float)PythonMod(a, b), PythonMod),
        ];
        var (a, b) = Pairs(specials);
        double[] wideA = Array.ConvertAll(a, x => (double)x), wideB = Array.ConvertAll(b, x => (double)x);
        foreach (var (op, narrow, wide) in operations)
        {
            foreach (int lanes in VecRun.LanesOf(isa, Elem.F32))
            {
                float[] result = new float[a.Length];
                VecRun.Map(isa, lanes,
                    (f, x) => Apply(f, op, x), (result, DType.Float32), (a, DType.Float32), (b, DType.Float32));
                for (int i = 0; i < a.Length; i++) Same(narrow(a[i], b[i]), result[i], $"{op} f32x{lanes} of {a[i]}, {b[i]}");
            }
            foreach (int lanes in VecRun.LanesOf(isa, Elem.F64))
            {
                double[] result = new double[a.Length];
                VecRun.Map(isa, lanes,
                    (f, x) => Apply(f, op, x), (result, DType.Float64), (wideA, DType.Float64), (wideB, DType.Float64));
                for (int i = 0; i < a.Length; i++)
                    Same(wide(wideA[i], wideB[i]), result[i], $"{op} f64x{lanes} of {a[i]}, {b[i]}");
            }
        }

        static Reg Apply(VecBuilder f, VecOp op, Reg[] x) => op <= VecOp.Not ? f.Unary(op, x[0]) : f.Binary(op, x[0], x[1]);

        static double PythonMod(double a, double b)
        {
            double r = a % b;
            return r != 0 && r < 0 != b < 0 ? r + b : r;
        }
    }

    [Theory, MemberData(nameof(Paths))]
    public void IntegerOperations_MatchScalars(string path)
    {
        var isa = VecRun.Parse(path);
        (VecOp Op, Func<int, int, int> I, Func<long, long, long> L)[] operations =
        [
            (VecOp.Neg, (a, _) => unchecked(-a), (a, _) => unchecked(-a)),
            (VecOp.Abs, (a, _) => a < 0 ? unchecked(-a) : a, (a, _) => a < 0 ? unchecked(-a) : a),
            (VecOp.Not, (a, _) => ~a, (a, _) => ~a),
            (VecOp.Add, (a, b) => unchecked(a + b), (a, b) => unchecked(a + b)),
            (VecOp.Sub, (a, b) => unchecked(a - b), (a, b) => unchecked(a - b)),
            (VecOp.Mul, (a, b) => unchecked(a * b), (a, b) => unchecked(a * b)),
            (VecOp.Div, (a, b) => b == 0 ? 0 : (int)((long)a / b), (a, b) => b == 0 ? 0 : b == -1 ? unchecked(-a) : a / b),
            (VecOp.Rem, (a, b) => b == 0 ? 0 : (int)((long)a % b), (a, b) => b is 0 or -1 ? 0 : a % b),
            (VecOp.FloorDiv, (a, b) => b == 0 ? 0 : unchecked((int)(long)Math.Floor((double)a / b)),
                (a, b) => b == 0 ? 0 : b == -1 ? unchecked(-a) : (long)Math.Floor((decimal)a / b)),
            (VecOp.FloorMod, (a, b) => b == 0 ? 0 : (int)(a - (long)b * (long)Math.Floor((double)a / b)),
                (a, b) => b is 0 or -1 ? 0 : (long)(a - (decimal)b * Math.Floor((decimal)a / b))),
            (VecOp.Min, Math.Min, Math.Min), (VecOp.Max, Math.Max, Math.Max),
            (VecOp.And, (a, b) => a & b, (a, b) => a & b), (VecOp.Or, (a, b) => a | b, (a, b) => a | b),
            (VecOp.Xor, (a, b) => a ^ b, (a, b) => a ^ b),
            (VecOp.Shl, (a, b) => b is >= 0 and < 32 ? a << b : 0, (a, b) => b is >= 0 and < 64 ? a << (int)b : 0),
            (VecOp.Sar, (a, b) => a >> (b is >= 0 and < 32 ? b : 31), (a, b) => a >> (b is >= 0 and < 64 ? (int)b : 63)),
            (VecOp.Shr, (a, b) => b is >= 0 and < 32 ? a >>> b : 0, (a, b) => b is >= 0 and < 64 ? a >>> (int)b : 0),
        ];
        var (a, b) = Pairs(specialInts);
        long[] wideA = Array.ConvertAll(a, Widen), wideB = Array.ConvertAll(b, Widen);
        foreach (var (op, narrow, wide) in operations)
        {
            foreach (int lanes in VecRun.LanesOf(isa, Elem.I32))
            {
                int[] result = new int[a.Length];
                VecRun.Map(isa, lanes, (f, x) => Apply(f, op, x), (result, DType.Int32), (a, DType.Int32), (b, DType.Int32));
                for (int i = 0; i < a.Length; i++)
                    Assert.True(narrow(a[i], b[i]) == result[i],
                        $"{op} i32x{lanes} of {a[i]}, {b[i]}: {narrow(a[i], b[i])} {result[i]}");
            }
            foreach (int lanes in VecRun.LanesOf(isa, Elem.I64))
            {
                long[] result = new long[a.Length];
                VecRun.Map(isa, lanes,
                    (f, x) => Apply(f, op, x), (result, DType.Int64), (wideA, DType.Int64), (wideB, DType.Int64));
                for (int i = 0; i < a.Length; i++)
                    Assert.True(wide(wideA[i], wideB[i]) == result[i],
                        $"{op} i64x{lanes} of {wideA[i]}, {wideB[i]}: {wide(wideA[i], wideB[i])} {result[i]}");
            }
        }

        static long Widen(int x) => x == int.MinValue ? long.MinValue : x == int.MaxValue ? long.MaxValue : x;
        static Reg Apply(VecBuilder f, VecOp op, Reg[] x) => op <= VecOp.Not ? f.Unary(op, x[0]) : f.Binary(op, x[0], x[1]);
    }

    [Theory, MemberData(nameof(Paths))]
    public void ComparisonsSelectAndMasks_MatchScalars(string path)
    {
        var isa = VecRun.Parse(path);
        var (a, b) = Pairs(specials);
        foreach (var op in new[] { VecOp.Eq, VecOp.Ne, VecOp.Lt, VecOp.Le, VecOp.Gt, VecOp.Ge })
        {
            foreach (int lanes in VecRun.LanesOf(isa, Elem.F32))
            {
                int[] result = new int[a.Length];
                VecRun.Map(isa, lanes, (f, x) =>
                {
                    var mask = f.Compare(op, x[0], x[1]);
                    var again = (mask | (mask ^ mask)) & ~~mask;
                    var type = new VecType(Elem.I32, lanes);
                    return f.Select(again, f.Const(type, 7), f.Bitcast(mask, Elem.I32));
                }, (result, DType.Int32), (a, DType.Float32), (b, DType.Float32));
                for (int i = 0; i < a.Length; i++)
                    Assert.True((Holds(op, a[i], b[i]) ? 7 : 0) == result[i],
                        $"{op} f32x{lanes} of {a[i]}, {b[i]} gave {result[i]}");
            }
        }
        foreach (int lanes in VecRun.LanesOf(isa, Elem.F64))
        {
            // A mask that changes width on its way: compared in float32, selecting among float64.
            double[] result = new double[a.Length];
            VecRun.Map(isa, lanes, (f, x) =>
            {
                var wide = f.Convert(f.Compare(VecOp.Lt, x[0], x[1]), Elem.M64);
                var back = f.Convert(f.Convert(wide, Elem.M32), Elem.M64);
                return f.Select(back, f.Convert(x[0], Elem.F64), f.Convert(x[1], Elem.F64));
            }, (result, DType.Float64), (a, DType.Float32), (b, DType.Float32));
            for (int i = 0; i < a.Length; i++)
                Same(a[i] < b[i] ? a[i] : b[i], result[i], $"select f64x{lanes} of {a[i]}, {b[i]}");
        }

        static bool Holds(VecOp op, float a, float b) => op switch
        {
            VecOp.Eq => a == b,
            VecOp.Ne => a != b,
            VecOp.Lt => a < b,
            VecOp.Le => a <= b,
            VecOp.Gt => a > b,
            _ => a >= b,
        };
    }

    [Theory, MemberData(nameof(Paths))]
    public void Casts_TruncateSaturateAndWrap(string path)
    {
        var isa = VecRun.Parse(path);
        float[] floats = [.. specials, .. specials.Select(x => x * 0.999f), .. new float[16 - specials.Length * 2 % 16]];
        double[] doubles = [.. Array.ConvertAll(floats, x => (double)x), 4294967296.5, -2147483649.0, 2147483647.5,
            9.2233720368547758e18, -9.3e18, 0.1, 1e300, -1e300,
            1, 2, 3, 4, 5, 6, 7, 8];
        int[] ints = [.. specialInts, 16777217, -16777219, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];
        long[] longs = [.. Array.ConvertAll(ints, x => (long)x * 4294967299), 9007199791611905, 9007199254740993, long.MaxValue,
            long.MinValue,
            36028797018963969, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
        foreach (int lanes in VecRun.LanesOf(isa, Elem.F64))
        {
            Check<float, double>(floats, x => x);
            Check<double, float>(doubles, x => (float)x);
            Check<int, long>(ints, x => x);
            Check<long, int>(longs, x => unchecked((int)x));
            Check<int, float>(ints, x => x);
            Check<int, double>(ints, x => x);
            Check<long, double>(longs, x => x);
            Check<long, float>(longs, x => x);
            Check<float, int>(floats, x => Saturate32(x));
            Check<double, int>(doubles, Saturate32);
            Check<float, long>(floats, x => Saturate64(x));
            Check<double, long>(doubles, Saturate64);

            void Check<TFrom, TTo>(TFrom[] values, Func<TFrom, TTo> expected) where TFrom : unmanaged where TTo : unmanaged
            {
                var result = new TTo[values.Length];
                DType from = DTypes.Of<TFrom>(), to = DTypes.Of<TTo>();
                VecRun.Map(isa, lanes, (f, x) => f.Convert(x[0], VecType.ElemOf(to)), (result, to), (values, from));
                for (int i = 0; i < values.Length; i++)
                    Assert.True(expected(values[i]).Equals(result[i]),
                        $"{from.Name} {values[i]} to {to.Name} x{lanes}: {expected(values[i])}, not {result[i]}");
            }
        }

        static int Saturate32(double x) =>
            double.IsNaN(x) ? 0 : x >= int.MaxValue ? int.MaxValue : x <= int.MinValue ? int.MinValue : (int)x;
        static long Saturate64(double x) =>
            double.IsNaN(x) ? 0 : x >= long.MaxValue ? long.MaxValue : x <= long.MinValue ? long.MinValue : (long)x;
    }

    [Theory, MemberData(nameof(Paths))]
    public void HalfAndBFloat_RoundTripEveryValue(string path)
    {
        var isa = VecRun.Parse(path);
        ushort[] bits = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i)];
        foreach (int lanes in VecRun.LanesOf(isa, Elem.F32))
            foreach (var storage in new[] { DType.Float16, DType.BFloat16 })
            {
                float[] wide = new float[65536];
                ushort[] back = new ushort[65536];
                VecRun.Map(isa, lanes, (_, x) => x[0], (wide, DType.Float32), (bits, storage));
                VecRun.Map(isa, lanes, (_, x) => x[0], (back, storage), (wide, DType.Float32));
                for (int i = 0; i < 65536; i++)
                {
                    float expected = storage == DType.Float16
                        ? (float)BitConverter.UInt16BitsToHalf((ushort)i)
                        : BFloat16.FromBits((ushort)i);
                    Assert.True(BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(wide[i])
                        || float.IsNaN(expected) && float.IsNaN(wide[i]),
                        $"{storage.Name} x{lanes} bits {i:x4}: {expected}, not {wide[i]}");
                    Assert.True(back[i] == i
                        || float.IsNaN(expected), $"{storage.Name} x{lanes} bits {i:x4} came back as {back[i]:x4}");
                    if (float.IsNaN(expected))
                        Assert.True(float.IsNaN(storage == DType.Float16
                            ? (float)BitConverter.UInt16BitsToHalf(back[i])
                            : BFloat16.FromBits(back[i])));
                }
            }
    }

    [Theory, MemberData(nameof(Paths))]
    public void HalfAndBFloat_RoundToNearestEven(string path)
    {
        var isa = VecRun.Parse(path);
        // Random bits cover every exponent; sums of neighbours hit every tie.
        var random = new Random(3);
        var values = Enumerable.Range(0, 40000).Select(_ =>
            BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue))).ToList();
        for (int i = 0; i < 0x7c00; i += 1)
            values.Add(((float)BitConverter.UInt16BitsToHalf((ushort)i)
                + (float)BitConverter.UInt16BitsToHalf((ushort)(i + 1))) / 2);
        for (int i = 0; i < 0x7f80; i += 3)
            values.Add(BitConverter.Int32BitsToSingle((i << 16) + 0x8000));
        values.AddRange([65519.99f, 65520f, 65535f, 65536f, 5.9604645e-8f / 2, 2.9802326e-8f]);
        while (values.Count % 16 != 0) values.Add(0);
        float[] input = [.. values];
        foreach (int lanes in VecRun.LanesOf(isa, Elem.F32))
        {
            ushort[] half = new ushort[input.Length], brain = new ushort[input.Length];
            VecRun.Map(isa, lanes, (_, x) => x[0], (half, DType.Float16), (input, DType.Float32));
            VecRun.Map(isa, lanes, (_, x) => x[0], (brain, DType.BFloat16), (input, DType.Float32));
            for (int i = 0; i < input.Length; i++)
            {
                if (float.IsNaN(input[i])) continue;
                Assert.True(BitConverter.HalfToUInt16Bits((Half)input[i]) == half[i],
                    $"f16 x{lanes} of {input[i]:R}: {(Half)input[i]}, not {BitConverter.UInt16BitsToHalf(half[i])}");
                Assert.True(((BFloat16)input[i]).Bits == brain[i], $"bf16 x{lanes} of {input[i]:R}");
            }
        }
    }

    [Theory, MemberData(nameof(Paths))]
    public void SmallIntegers_WidenAndWrap(string path)
    {
        var isa = VecRun.Parse(path);
        byte[] bytes = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        short[] shorts = [.. Enumerable.Range(0, 4096).Select(i => (short)(i * 16 + 5))];
        foreach (int lanes in VecRun.LanesOf(isa, Elem.I32))
        {
            foreach (var (storage, read) in new (DType, Func<int, int>)[] { (DType.UInt8, i => bytes[i]),
                (DType.Int8, i => (sbyte)bytes[i]), (DType.Bool, i => bytes[i]) })
            {
                int[] wide = new int[256];
                byte[] narrow = new byte[256];
                VecRun.Map(isa, lanes, (_, x) => x[0], (wide, DType.Int32), (bytes, storage));
                VecRun.Map(isa, lanes, (_, x) => x[0] * 1000003L, (narrow, storage), (bytes, storage));
                for (int i = 0; i < 256; i++)
                {
                    Assert.True(read(i) == wide[i], $"{storage.Name} x{lanes}: {read(i)} {wide[i]}");
                    Assert.True(unchecked((byte)(read(i) * 1000003)) == narrow[i], $"{storage.Name} x{lanes} wraps: {i}");
                }
            }
            int[] fromShort = new int[4096];
            short[] toShort = new short[4096];
            VecRun.Map(isa, lanes, (_, x) => x[0], (fromShort, DType.Int32), (shorts, DType.Int16));
            VecRun.Map(isa, lanes, (_, x) => x[0] * 1000003L, (toShort, DType.Int16), (shorts, DType.Int16));
            for (int i = 0; i < 4096; i++)
            {
                Assert.Equal(shorts[i], fromShort[i]);
                Assert.Equal(unchecked((short)(shorts[i] * 1000003)), toShort[i]);
            }
        }
    }

    [Theory, MemberData(nameof(Paths))]
    public void Reductions_CombineEveryLane(string path)
    {
        var isa = VecRun.Parse(path);
        foreach (var elem in new[] { Elem.F32, Elem.F64, Elem.I32, Elem.I64 })
            foreach (int lanes in VecRun.LanesOf(isa, elem))
            {
                var storage = elem switch
                {
                    Elem.F32 => DType.Float32,
                    Elem.F64 => DType.Float64,
                    Elem.I32 => DType.Int32,
                    _ => DType.Int64,
                };
                double[] values = [.. Enumerable.Range(1, lanes).Select(i => (double)((i * 7 % 5 + 1) * (i % 2 == 0 ? 1 : -1)))];
                Array input = elem switch
                {
                    Elem.F32 => Array.ConvertAll(values, x => (float)x),
                    Elem.F64 => values,
                    Elem.I32 => Array.ConvertAll(values, x => (int)x),
                    _ => Array.ConvertAll(values, x => (long)x),
                };
                foreach (var (op, expected) in new[] { (VecOp.Add, values.Sum()),
                    (VecOp.Mul, values.Aggregate(1.0, (a, b) => a * b)), (VecOp.Min, values.Min()), (VecOp.Max, values.Max()) })
                {
                    Array result = (Array)input.Clone();
                    VecRun.Map(isa, lanes, (f, x) => f.Broadcast(f.Reduce(op, x[0]), lanes), (result, storage), (input, storage));
                    for (int i = 0; i < lanes; i++)
                        Same(expected, Convert.ToDouble(result.GetValue(i)), $"{op} of {elem}x{lanes} lane {i}");
                }
            }
    }

    [Theory, MemberData(nameof(Paths))]
    public void GatherAndScatter_FollowIndices(string path)
    {
        var isa = VecRun.Parse(path);
        foreach (var (storage, data) in new (DType, Array)[]
        {
            (DType.Float32, Enumerable.Range(0, 64).Select(i => i * 1.5f).ToArray()),
                (DType.Float64, Enumerable.Range(0, 64).Select(i => i * 1.5).ToArray()),
            (DType.Int32, Enumerable.Range(0, 64).ToArray()),
            (DType.Int64, Enumerable.Range(0, 64).Select(i => (long)i << 33).ToArray()),
            (DType.UInt8, Enumerable.Range(0, 64).Select(i => (byte)i).ToArray()),
            (DType.Float16, Enumerable.Range(0, 64).Select(i => (Half)i).ToArray()),
            (DType.Int16, Enumerable.Range(0, 64).Select(i => (short)-i).ToArray()),
        })
            foreach (var indexType in new[] { DType.Int32, DType.Int64 })
                foreach (int lanes in VecRun.LanesOf(isa, Elem.I64))
                {
                    long[] order = [.. Enumerable.Range(0, 64).Select(i => (long)(i * 37 % 64))];
                    Array indices = indexType == DType.Int64 ? order : Array.ConvertAll(order, x => (int)x);
                    var gathered = Array.CreateInstance(data.GetType().GetElementType()!, 64);
                    var scattered = Array.CreateInstance(data.GetType().GetElementType()!, 64);
                    var f = VecBuilder.Kernel("gather", isa);
                    Reg input = f.Buffer(0), index = f.Buffer(1), output = f.Buffer(2), places = f.Buffer(3);
                    f.Loop(f.Begin, f.End, lanes, i =>
                    {
                        var at = f.Load(VecType.Of(indexType, lanes), indexType, VecBuilder.At(index, i * indexType.Bytes));
                        var value = f.Gather(VecType.Of(storage, lanes), storage, VecBuilder.At(input), at);
                        f.Store(VecBuilder.At(output, i * storage.Bytes), storage, value);
                        f.Scatter(VecBuilder.At(places), storage, value, at);
                    });
                    VecRun.Run(f.Build(), 0, 64, [], data, indices, gathered, scattered);
                    for (int i = 0; i < 64; i++)
                    {
                        Assert.Equal(data.GetValue(order[i]), gathered.GetValue(i));
                        Assert.Equal(data.GetValue(i), scattered.GetValue(i));
                    }
                }
    }

    [Theory, MemberData(nameof(Paths))]
    public void Scatter_SkipsUnsetLanes(string path)
    {
        var isa = VecRun.Parse(path);
        int lanes = isa.VectorBytes / 4;
        int[] result = new int[lanes];
        var f = VecBuilder.Kernel("scatter", isa);
        var type = new VecType(Elem.I32, lanes);
        f.Scatter(VecBuilder.At(f.Buffer(0)), DType.Int32, f.Const(type, 9), f.Iota(type), f.FirstLanes(type, f.Const(3)));
        VecRun.Run(f.Build(), 0, 0, [], result);
        Assert.Equal(Enumerable.Range(0, lanes).Select(i => i < 3 ? 9 : 0), result);
    }

    [Theory, MemberData(nameof(Paths))]
    public void ScalarCode_LoopsBranchesAndCalls(string path)
    {
        var f = VecBuilder.Kernel("count", VecRun.Parse(path));
        var sum = f.Var(f.Const(0), "sum");
        f.Loop(f.Begin, f.End, 3, i =>
            f.If(f.Compare(VecOp.Eq, f.Binary(VecOp.FloorMod, i, f.Const(2)), f.Const(0)),
                () => f.Assign(sum, sum + i),
                () => f.Assign(sum, sum - f.Call(typeof(VecEmitterTests).GetMethod(nameof(Square), [typeof(long)])!, i)!)));
        f.Store(VecBuilder.At(f.Buffer(0)), DType.Int64, sum);
        long[] result = new long[1];
        VecRun.Run(f.Build(), -5, 20, [], result);
        long expected = 0;
        for (long i = -5; i < 20; i += 3) expected += i % 2 == 0 ? i : -i * i;
        Assert.Equal(expected, result[0]);
    }

    public static long Square(long x) => x * x;

    [Theory, MemberData(nameof(Paths))]
    public void MasksToScalars_LookAtMeaningfulLanesOnly(string path)
    {
        var isa = VecRun.Parse(path);
        foreach (var elem in new[] { Elem.I32, Elem.I64 })
            foreach (int lanes in VecRun.LanesOf(isa, elem))
                for (int set = 0; set <= lanes; set++)
                {
                    var f = VecBuilder.Kernel("masks", isa);
                    var mask = f.FirstLanes(new VecType(elem, lanes), f.Argument(2));
                    f.Store(VecBuilder.At(f.Buffer(0)), DType.Int64, f.Any(mask));
                    f.Store(VecBuilder.At(f.Buffer(0), 8), DType.Int64, f.All(mask));
                    long[] result = new long[2];
                    VecRun.Run(f.Build(), set, 0, [], result);
                    Assert.Equal([set > 0 ? 1L : 0, set == lanes ? 1L : 0], result);
                }
    }
}
