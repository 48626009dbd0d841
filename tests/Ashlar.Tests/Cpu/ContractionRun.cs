using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Backends.Cpu.Tuning;

namespace Ashlar.Tests.Cpu;

/// <summary>How a matrix of the test lies in memory.</summary>
public enum Order
{
    /// <summary>Row-major.</summary>
    Rows,
    /// <summary>Column-major.</summary>
    Columns,
    /// <summary>Row-major with three elements between rows.</summary>
    SparseRows,
    /// <summary>Two elements between columns as well.</summary>
    Sparse,
}

/// <summary>One product to check.</summary>
sealed record Product(long Rows, long Columns, long Inner)
{
    public Order LeftOrder { get; init; }
    public Order RightOrder { get; init; }
    public Order ResultOrder { get; init; }
    public DType LeftType { get; init; } = DType.Float32;
    public DType RightType { get; init; } = DType.Float32;
    public long Batch { get; init; } = 1;
    public bool SharesRight { get; init; }
    public bool Accumulate { get; init; }
    public bool HasEpilogue { get; init; }
    public bool HasFunctions { get; init; }

    /// <summary>The type in memory where it is not that of the sums.</summary>
    public DType? ResultType { get; init; }

    /// <summary>Blocks that tuning found; for products on tiles.</summary>
    public TunedProducts? Tuned { get; init; }

    /// <summary>The right operand is packed beforehand; for products on tiles.</summary>
    public bool PacksRight { get; init; }
}

/// <summary>Runs products on matrices that end at a page no one may touch, and compares every element of memory.</summary>
/// <param name="path">The instruction path.</param>
/// <param name="threads">Workers.</param>
/// <param name="onTiles">True runs the engine of the tile unit.</param>
sealed unsafe class ContractionRun(string path, int threads = 1, bool onTiles = false) : IDisposable
{
    const double Untouched = 77;

    readonly Isa isa = VecRun.Parse(path);
    readonly Workers workers = new(threads);

    public void Dispose() => workers.Dispose();

    public void Check(Product product)
    {
        using var matrices = new Matrices(product);
        Run(product, matrices, times: 1);
        var (left, right, result) = (matrices.Left.Values, matrices.Right.Values, matrices.Result.Values);
        var expected = new double[result.Length];
        Array.Fill(expected, Untouched);
        for (long b = 0; b < product.Batch; b++)
            for (long m = 0; m < product.Rows; m++)
                for (long n = 0; n < product.Columns; n++)
                {
                    double sum = product.Accumulate ? Untouched : 0;
                    long i = matrices.Left.At(b, m, 0), j = matrices.Right.At(product.SharesRight ? 0 : b, 0, n);
                    for (long k = 0; k < product.Inner; k++, i += matrices.Left.ColumnStride, j += matrices.Right.RowStride)
                        sum += left[i] * right[j];
                    double value = product.HasEpilogue ? 2 * sum + m - n : sum;
                    expected[matrices.Result.At(b, m, n)] = product.ResultType == DType.BFloat16 ? (BFloat16)value : value;
                }
        for (long i = 0; i < expected.Length; i++)
            if (expected[i] != result[i])
                Assert.Fail($"{isa.Name}, {workers.Count} threads, {product}: element {i} is {result[i]}, not {expected[i]}");
    }

    /// <summary>Bytes that this thread allocates in ten runs after the first.</summary>
    public long AllocatedBy(Product product)
    {
        using var matrices = new Matrices(product);
        return Run(product, matrices, times: 10);
    }

    long Run(Product product, Matrices matrices, int times)
    {
        var (left, right, result) = (matrices.Left, matrices.Right, matrices.Result);
        BlockFunction? fillLeft = null, fillRight = null, epilogue = null;
        if (product.HasFunctions)
        {
            double[] leftValues = left.Values, rightValues = right.Values;
            fillLeft = place => Fill(place, FilledType(product.LeftType), (i, k) => leftValues[left.At(place->Batch[0], i, k)]);
            fillRight = place =>
                Fill(place, FilledType(product.RightType),
                    (j, k) => rightValues[right.At(product.SharesRight ? 0 : place->Batch[0], k, j)]);
        }
        if (product.HasEpilogue)
            epilogue = place =>
            {
                for (long m = 0; m < place->Rows; m++)
                    for (long n = 0; n < place->Columns; n++)
                        ((float*)result.Data)[result.At(place->Batch[0], place->Row + m, place->Column + n)] =
                            2 * Sum(product, place, m * place->Stride + n) + (place->Row + m) - (place->Column + n);
            };
        var call = new ContractionCall
        {
            Rows = product.Rows,
            Columns = product.Columns,
            Inner = product.Inner,
            Left = left.View,
            Right = right.View,
            Result = result.View,
            Accumulate = product.Accumulate,
            BatchRank = 1,
        };
        call.Batch[0] = new(product.Batch, left.Stride(1), product.SharesRight ? 0 : right.Stride(1), result.Stride(1));
        if (onTiles)
        {
            var kind = TileProduct.Of(FilledType(product.LeftType), FilledType(product.RightType))!.Value;
            using var packed = product.PacksRight ? Packed(kind, product, right) : null;
            if (packed is not null)
            {
                call.Right = call.Right with { Data = (nint)packed.Pointer };
                call.Batch[0] = call.Batch[0] with
                {
                    Right = product.SharesRight ? 0 : PackedOperand.Bytes(kind, product.Inner, product.Columns),
                };
            }
            var tiles = new MatrixContraction(kind, fillLeft, fillRight, epilogue, 64, packed is not null)
            {
                Tuned = product.Tuned,
            };
            using var memory = new GuardedMemory((tiles.ScratchBytes(call, workers.Count) + 127) & ~127L);
            return Repeat(() => tiles.Run(call, workers, (byte*)memory.Pointer), times);
        }
        var contraction = new Contraction(isa, product.LeftType.Compute, fillLeft, fillRight, epilogue, 64);
        using var scratch = new GuardedMemory(contraction.ScratchBytes * workers.Count);
        return Repeat(() => contraction.Run(call, workers, (byte*)scratch.Pointer), times);
    }

    static long Repeat(Action run, int times)
    {
        run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 1; i < times; i++) run();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    GuardedMemory Packed(TileProduct kind, Product product, Matrix right)
    {
        long each = PackedOperand.Bytes(kind, product.Inner, product.Columns), count = product.SharesRight ? 1 : product.Batch;
        var packed = new GuardedMemory(each * count);
        for (long b = 0; b < count; b++)
        {
            var view = right.View with { Data = right.View.Data + (nint)(right.Stride(b) * right.View.DType.Bytes) };
            PackedOperand.Pack(kind, view, product.Inner, product.Columns, (byte*)packed.Pointer + b * each, workers);
        }
        return packed;
    }

    // The engine of the vectors takes operands in the type it computes in, that of the tiles in the type it multiplies.
    DType FilledType(DType operand) => !onTiles ? operand.Compute : operand == DType.Float32 ? DType.BFloat16 : operand;

    static float Sum(Product product, BlockPlace* place, long at) =>
        product.LeftType.Compute == DType.Int32 ? ((int*)place->Data)[at] : ((float*)place->Data)[at];

    static void Fill(BlockPlace* place, DType type, Func<long, long, double> value)
    {
        for (long i = 0; i < place->Rows; i++)
            for (long k = 0; k < place->Columns; k++)
                Matrix.Write(place->Data, type, i * place->Stride + k, value(place->Row + i, place->Column + k));
    }

    sealed class Matrices(Product p) : IDisposable
    {
        public Matrix Left { get; } = new(p.Batch, p.Rows, p.Inner, p.LeftOrder, p.LeftType,
            i => (i * 7 + i / 5) % 9 - (p.LeftType == DType.UInt8 ? 0 : 4));
        public Matrix Right { get; } = new(p.SharesRight ? 1 : p.Batch, p.Inner, p.Columns, p.RightOrder, p.RightType,
            i => (i * 5 + i / 3) % 7 - (p.RightType == DType.UInt8 ? 0 : 3));
        public Matrix Result { get; } =
            new(p.Batch, p.Rows, p.Columns, p.ResultOrder, p.ResultType ?? p.LeftType.Compute, _ => Untouched);

        public void Dispose()
        {
            Left.Dispose();
            Right.Dispose();
            Result.Dispose();
        }
    }

    /// <summary>A batch of matrices whose last element lies against a guard page.</summary>
    sealed class Matrix : IDisposable
    {
        readonly GuardedMemory memory;
        readonly DType type;
        readonly long each, count;

        public Matrix(long batch, long rows, long columns, Order order, DType type, Func<long, double> value)
        {
            this.type = type;
            (RowStride, ColumnStride) = order switch
            {
                Order.Rows => (columns, 1L),
                Order.Columns => (1L, rows),
                Order.SparseRows => (columns + 3, 1L),
                _ => (columns * 3 + 1, 3L),
            };
            each = rows == 0 || columns == 0 ? 0 : (rows - 1) * RowStride + (columns - 1) * ColumnStride + 1;
            count = batch * each;
            memory = new(Math.Max(1, count * type.Bytes));
            for (long i = 0; i < count; i++) Write(i, value(i));
        }

        public long RowStride { get; }

        public long ColumnStride { get; }

        public void* Data => memory.Pointer;

        public MatrixView View => new((nint)Data, type, RowStride, ColumnStride);

        public long Stride(long batch) => batch * each;

        public long At(long batch, long row, long column) => batch * each + row * RowStride + column * ColumnStride;

        public double[] Values
        {
            get
            {
                var values = new double[count];
                for (long i = 0; i < count; i++) values[i] = Read(i);
                return values;
            }
        }

        double Read(long i) => type switch
        {
            DType.Float32 => ((float*)Data)[i],
            DType.Float64 => ((double*)Data)[i],
            DType.Float16 => (double)((Half*)Data)[i],
            DType.BFloat16 => ((BFloat16*)Data)[i],
            DType.Int8 => ((sbyte*)Data)[i],
            DType.UInt8 => ((byte*)Data)[i],
            DType.Int16 => ((short*)Data)[i],
            DType.Int32 => ((int*)Data)[i],
            _ => ((long*)Data)[i],
        };

        void Write(long i, double value) => Write(Data, type, i, value);

        public static void Write(void* data, DType type, long i, double value)
        {
            switch (type)
            {
                case DType.Float32: ((float*)data)[i] = (float)value; break;
                case DType.Float64: ((double*)data)[i] = value; break;
                case DType.Float16: ((Half*)data)[i] = (Half)value; break;
                case DType.BFloat16: ((BFloat16*)data)[i] = (BFloat16)value; break;
                case DType.Int8: ((sbyte*)data)[i] = (sbyte)value; break;
                case DType.UInt8: ((byte*)data)[i] = (byte)value; break;
                case DType.Int16: ((short*)data)[i] = (short)value; break;
                case DType.Int32: ((int*)data)[i] = (int)value; break;
                default: ((long*)data)[i] = (long)value; break;
            }
        }

        public void Dispose() => memory.Dispose();
    }
}
