using System.Runtime.InteropServices;
using Ashlar.Backends.Cpu.Vec;

namespace Ashlar.Backends.Cpu.Contractions;

/// <summary>What one call of a micro-kernel works on. Strides and steps are in bytes; every field is 8 bytes wide.</summary>
[StructLayout(LayoutKind.Sequential)]
unsafe struct MicroArguments
{
    public byte* A;                // first row panel of the left operand
    public long AStride;           // rows: from row to row; columns: from one inner index to the next
    public long AStep;             // from one row panel to the next
    public byte* B;                // the column panel
    public long BStride;           // of a panel in place: from one inner index to the next
    public byte* C;                // first tile of the result
    public long CStride;           // from row to row
    public long Inner;             // how many products each sum gets
    public long Chunk;             // products between two prefetches, a multiple of the unrolling
    public long Chunks;            // how many chunks the unrolled part of Inner makes
    public byte* Packed;           // where a copying kernel leaves the panel packed
    public byte* Ahead;            // what to prefetch
    public long AheadStride;       // from one prefetched row to the next
    public byte* AheadResult;      // what to prefetch of the result: where the sums go in the end
    public long AheadResultStride; // from row to row
    public long Panels;            // how many row panels, one after the other
    public long Accumulate;        // 1 adds to the result, 0 replaces it
}

/// <summary>A compiled micro-kernel.</summary>
unsafe delegate void MicroKernel(MicroArguments* arguments);

/// <summary>How a micro-kernel reads the left operand.</summary>
enum LeftAccess : byte
{
    /// <summary>Rows whose inner index is contiguous: a row-major matrix as it is, or copied rows.</summary>
    Rows,
    /// <summary>For each inner index the panel's rows side by side: packed panels.</summary>
    Columns,
}

/// <summary>How a micro-kernel reads the right operand.</summary>
enum RightAccess : byte
{
    /// <summary>A packed panel: for each inner index the panel's columns, one after the other.</summary>
    Packed,
    /// <summary>Rows of the matrix in place; what is read is stored packed on the way, hidden behind the
    /// multiplications.</summary>
    Copied,
    /// <summary>Rows of the matrix in place, once: every inner index prefetches one row ahead.</summary>
    Streamed,
}

/// <summary>Which micro-kernel.</summary>
/// <param name="Isa">Its instruction path.</param>
/// <param name="Elem">What it multiplies and adds: f32, f64, i32, i64.</param>
/// <param name="Rows">Rows of the register tile.</param>
/// <param name="Vectors">Columns of the register tile, in vectors.</param>
/// <param name="Left">How it reads the left operand.</param>
/// <param name="Right">How it reads the right operand.</param>
/// <param name="AheadRows">Rows prefetched per chunk: 1 or 2.</param>
/// <param name="PrefetchesResult">True fetches a row of the result per chunk, for results that lie far away.</param>
readonly record struct MicroKey(Isa Isa, Elem Elem, int Rows, int Vectors, LeftAccess Left, RightAccess Right, int AheadRows = 1,
    bool PrefetchesResult = true)
{
    public const int MostRows = 14, MostVectors = 5;

    /// <summary>A number below <see cref="Keys"/> that no other key has.</summary>
    public int Index =>
        (((((((int)Isa * 4 + (int)Elem) * MostRows + Rows - 1) * MostVectors + Vectors - 1) * 2 + (int)Left) * 3 + (int)Right) * 2
        + AheadRows - 1) * 2 + (PrefetchesResult ? 1 : 0);

    public const int Keys = 3 * 4 * MostRows * MostVectors * 2 * 3 * 2 * 2;
}

/// <summary>A register tile: as many sums as the registers hold beside the operands.</summary>
/// <param name="Rows">At most so many rows; items are cut so that all their row panels have this height or one less.</param>
/// <param name="Vectors">At most so many vectors of columns; likewise.</param>
/// <remarks>
/// With 32 registers 9 x 3 vectors: 27 sums, 3 vectors of the right operand, 1 of the left. It loads 12 times per 27
/// multiply-adds; 14 x 2 loads 16 times per 28, and was up to 5 points slower whenever the load ports are not all ours.
/// With 16 registers 6 x 2.
/// </remarks>
readonly record struct RegisterTile(int Rows, int Vectors)
{
    static readonly RegisterTile[] narrow = [new(14, 1), new(14, 2), new(9, 3), new(6, 4), new(5, 5)];

    /// <summary>The tile for products that many vectors wide.</summary>
    public static RegisterTile Of(Isa isa, long vectors = long.MaxValue) =>
        isa.VectorRegisters < 32 ? new(6, 2) : vectors <= narrow.Length ? narrow[Math.Max(1, vectors) - 1] : new(9, 3);

    /// <summary>The tile for a right operand streamed from memory: all rows in one panel where they fit.</summary>
    public static RegisterTile ForStreams(Isa isa, long rows) => isa.VectorRegisters >= 32 && rows <= 6 ? new(6, 4) : Of(isa);

    /// <summary>The widest tile of a path, in vectors.</summary>
    public static int MostVectors(Isa isa) => isa.VectorRegisters >= 32 ? 5 : 2;

    /// <summary>The highest tile of a path.</summary>
    public static int MostRows(Isa isa) => isa.VectorRegisters >= 32 ? 14 : 6;
}

/// <summary>Makes and keeps micro-kernels: the innermost loops of contractions, each a tile of sums held in registers.</summary>
static class MicroKernels
{
    /// <summary>Products per turn of the inner loop.</summary>
    public const int Unroll = 4;

    static readonly MicroKernel?[] compiled = new MicroKernel?[MicroKey.Keys];
    static readonly Lock[] compiling = [.. Enumerable.Range(0, 16).Select(_ => new Lock())];

    /// <summary>The kernel of this key, compiled at its first use (1 to 2 ms).</summary>
    public static MicroKernel Get(in MicroKey key) => Volatile.Read(ref compiled[key.Index]) ?? Compile(key);

    // Workers that need different kernels compile them at once; of those that need one, the first does.
    static MicroKernel Compile(in MicroKey key)
    {
        lock (compiling[key.Index % compiling.Length])
        {
            if (compiled[key.Index] is { } already) return already;
            var kernel = VecCompiler.Compile<MicroKernel>(Build(key));
            Volatile.Write(ref compiled[key.Index], kernel);
            return kernel;
        }
    }

    /// <summary>The machine form of a micro-kernel.</summary>
    public static VecFunction Build(in MicroKey key) => new Writer(key).Write();

    sealed class Writer
    {
        readonly MicroKey key;
        readonly VecBuilder f;
        readonly VecType type;
        readonly DType storage;
        readonly int rows, vectors, elementBytes, vectorBytes;
        readonly Reg[] sums;
        readonly Reg[] rowPointers;
        readonly Reg a, b, c, packed, ahead, aheadResult, aheadRow;
        readonly Reg aStride, bStride, cStride, aheadStride, aheadResultStride;

        public Writer(in MicroKey key)
        {
            this.key = key;
            (rows, vectors) = (key.Rows, key.Vectors);
            f = new($"dot_{rows}x{vectors}_{key.Elem}_{key.Left}_{key.Right}".ToLowerInvariant(), key.Isa, "arguments");
            type = new(key.Elem, f.LanesOf(key.Elem));
            storage = key.Elem switch
            {
                Elem.F32 => DType.Float32,
                Elem.F64 => DType.Float64,
                Elem.I32 => DType.Int32,
                _ => DType.Int64,
            };
            elementBytes = type.ElemBytes;
            vectorBytes = type.Lanes * elementBytes;
            sums = [.. Enumerable.Range(0, rows * vectors).Select(_ => f.Var(type, "sum"))];
            a = f.Var(Field(nameof(MicroArguments.A)), "a");
            b = f.Var(VecType.Scalar, "b");
            c = f.Var(Field(nameof(MicroArguments.C)), "c");
            packed = f.Var(Field(nameof(MicroArguments.Packed)), "packed");
            ahead = f.Var(Field(nameof(MicroArguments.Ahead)), "ahead");
            aheadResult = f.Var(Field(nameof(MicroArguments.AheadResult)), "aheadResult");
            aheadRow = f.Var(VecType.Scalar, "aheadRow");
            aStride = Field(nameof(MicroArguments.AStride));
            bStride = Field(nameof(MicroArguments.BStride));
            cStride = Field(nameof(MicroArguments.CStride));
            aheadStride = Field(nameof(MicroArguments.AheadStride));
            aheadResultStride = Field(nameof(MicroArguments.AheadResultStride));
            rowPointers =
                [.. Enumerable.Range(0, key.Left == LeftAccess.Rows ? rows : 0).Select(_ => f.Var(VecType.Scalar, "row"))];
        }

        Reg Field(string name) =>
            f.Var(f.Load(VecType.Scalar, DType.Int64,
                VecBuilder.At(f.Argument(0), (long)Marshal.OffsetOf<MicroArguments>(name))));

        public VecFunction Write()
        {
            Reg inner = Field(nameof(MicroArguments.Inner)), unrolled = f.Var(inner & -Unroll);
            Reg chunk = Field(nameof(MicroArguments.Chunk)), chunks = Field(nameof(MicroArguments.Chunks));
            Reg panels = Field(nameof(MicroArguments.Panels)), aStep = Field(nameof(MicroArguments.AStep));
            Reg start = Field(nameof(MicroArguments.B)), accumulate = Field(nameof(MicroArguments.Accumulate));
            var done = f.Var(VecType.Scalar, "done");

            f.Loop(f.Const(0), panels, 1, _ =>
            {
                foreach (var sum in sums) f.Assign(sum, f.Const(type, 0));
                for (int i = 0; i < rowPointers.Length; i++) f.Assign(rowPointers[i], i == 0 ? a : rowPointers[i - 1] + aStride);
                var panel = f.Var(a);
                f.Assign(b, start);
                f.Assign(aheadRow, aheadResult);
                f.Assign(done, f.Const(0));
                f.Loop(f.Const(0), chunks, 1, _ =>
                {
                    PrefetchChunk();
                    var end = f.Var(f.Binary(VecOp.Min, done + chunk, unrolled));
                    Products(panel, done, end, Unroll);
                    f.Assign(done, end);
                });
                Products(panel, unrolled, inner, 1);
                f.If(accumulate, () =>
                    Tiles((i, j, at) => f.Assign(sums[i * vectors + j], f.Load(type, storage, at) + sums[i * vectors + j])));
                Tiles((i, j, at) => f.Store(at, storage, sums[i * vectors + j]));   // after all loads: rows 4 KiB apart alias
                f.Assign(a, a + aStep);
                f.Assign(c, c + cStride * rows);
                f.Assign(aheadResult, aheadResult + aheadResultStride * rows);
            });
            return f.Build();
        }

        void PrefetchChunk()
        {
            for (int row = 0; row < key.AheadRows && key.Right != RightAccess.Streamed; row++)
                PrefetchRow(ahead, aheadStride, near: false);
            if (key.PrefetchesResult) PrefetchRow(aheadRow, aheadResultStride, near: true);
        }

        void PrefetchRow(Reg pointer, Reg stride, bool near)
        {
            for (int offset = 0; offset < vectors * vectorBytes; offset += 64) f.Prefetch(VecBuilder.At(pointer, offset), near);
            f.Assign(pointer, pointer + stride);
        }

        // Products [begin, end) of every sum, `steps` at a time.
        void Products(Reg panel, Reg begin, Reg end, int steps)
        {
            if (key.Left == LeftAccess.Rows)
            {
                f.Loop(begin * elementBytes, f.Var(end * elementBytes), steps * elementBytes, offset =>
                {
                    for (int step = 0; step < steps; step++)
                        Product(step, i => VecBuilder.At(rowPointers[i], offset, step * elementBytes));
                    AdvanceRight(steps);
                }, "offset");
                return;
            }
            f.Loop(begin, end, steps, _ =>
            {
                for (int step = 0; step < steps; step++)
                {
                    Product(step, i => VecBuilder.At(panel, i * elementBytes));
                    f.Assign(panel, panel + aStride);
                }
                AdvanceRight(steps);
            });
        }

        void Product(int step, Func<int, Address> left)
        {
            bool inPlace = key.Right != RightAccess.Packed;
            var right = new Reg[vectors];
            for (int j = 0; j < vectors; j++)
                right[j] = f.Load(type, storage, VecBuilder.At(b, ((inPlace ? 0 : step * vectors) + j) * vectorBytes));
            if (key.Right == RightAccess.Streamed) PrefetchRow(ahead, aheadStride, near: true);
            for (int i = 0; i < rows; i++)
            {
                var one = f.LoadSplat(type, storage, left(i));
                for (int j = 0; j < vectors; j++)
                {
                    var sum = sums[i * vectors + j];
                    f.Assign(sum, type.IsFloat ? f.Fma(one, right[j], sum) : one * right[j] + sum);
                }
                if (key.Right == RightAccess.Copied && i == rows / 2)
                    for (int j = 0; j < vectors; j++)
                        f.Store(VecBuilder.At(packed, (step * vectors + j) * vectorBytes), storage, right[j]);
            }
            if (inPlace) f.Assign(b, b + bStride);
        }

        void AdvanceRight(int steps)
        {
            if (key.Right == RightAccess.Packed) f.Assign(b, b + (long)steps * vectors * vectorBytes);
            if (key.Right == RightAccess.Copied) f.Assign(packed, packed + (long)steps * vectors * vectorBytes);
        }

        void Tiles(Action<int, int, Address> one)
        {
            var row = c;
            for (int i = 0; i < rows; i++)
            {
                if (i > 0) row = f.Var(row + cStride);
                for (int j = 0; j < vectors; j++) one(i, j, VecBuilder.At(row, j * vectorBytes));
            }
        }
    }
}
