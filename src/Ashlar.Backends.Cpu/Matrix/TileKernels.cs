using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>Which tile kernel.</summary>
/// <param name="Product">What it multiplies.</param>
/// <param name="RowTiles">Tiles of rows in a panel of the left operand, 1 or 2. The right's panels have two.</param>
/// <param name="LeftMoves">The left operand's panels come from the second cache, the right one stays in the first; else the other
/// way round.</param>
/// <param name="Adds">It adds to the sums; else it replaces them.</param>
/// <param name="Ahead">Rows fetched ahead into the second cache, a line of each per step: 0 to 16.</param>
/// <param name="ResultLines">Lines of each of 32 rows of the result fetched ahead: 0 to 2.</param>
/// <param name="LeftLines">Lines per step of another stream that are fetched ahead: 0 to 4.</param>
readonly record struct TileKernelKey(TileProduct Product, int RowTiles, bool LeftMoves, bool Adds, int Ahead, int ResultLines = 0,
    int LeftLines = 0)
{
    public const int MostAhead = 16, MostResultLines = 2, MostLeftLines = 4;

    public int Index =>
        ((((((int)Product * 2 + RowTiles - 1) * 2 + (LeftMoves ? 1 : 0)) * 2 + (Adds ? 1 : 0)) * (MostAhead + 1) + Ahead)
        * (MostResultLines + 1) + ResultLines) * (MostLeftLines + 1) + LeftLines;

    public const int Keys = 5 * 2 * 2 * 2 * (MostAhead + 1) * (MostResultLines + 1) * (MostLeftLines + 1);
}

/// <summary>Assembles and keeps the kernels of the tile unit. The thread that calls one has loaded
/// <see cref="Amx.FullTiles"/>.</summary>
/// <remarks>
/// A product of two panels is 2 x 2 tiles of sums: four loads for four products, the least that eight tile registers allow. The
/// operand that moves is loaded with the hint that it is used once (<c>tileloaddt1</c>), so that the other one stays in the first
/// cache; without it that loses a third of the speed. Products and loads take turns: each tile of the next step is loaded once
/// its register is free and a product went by since the last load, and every other step goes through its products the other
/// way round, so that what came first is needed first: each load has a product or two to arrive in. What is fetched ahead
/// lies between the tile instructions, where it takes the place of idle ones (<see cref="TileSteps"/>).
/// </remarks>
static unsafe class TileKernels
{
    static readonly AssembledKernels assembled = new(TileKernelKey.Keys);
    static readonly byte[] fullTiles = Amx.FullTiles();
    static readonly Lazy<(ExecutableMemory Configure, ExecutableMemory Release)> state =
        new(() => (AssembleConfigure(), AssembleRelease()));

    /// <summary>The kernel of this key, assembled at its first use (some 20 us).</summary>
    /// <exception cref="DeviceException">The system grants no executable memory.</exception>
    public static delegate* unmanaged<TileArguments*, void> Get(in TileKernelKey key)
    {
        var code = assembled.Find(key.Index) ?? Make(key);
        return (delegate* unmanaged<TileArguments*, void>)code.Entry;
    }

    /// <summary>Assembles what every call needs.</summary>
    /// <exception cref="DeviceException">The system grants no executable memory.</exception>
    public static void Prepare() => _ = state.Value;

    /// <summary>Makes eight full tiles of this thread's tile registers.</summary>
    public static void Configure()
    {
        fixed (byte* config = fullTiles) ((delegate* unmanaged<byte*, void>)state.Value.Configure.Entry)(config);
    }

    /// <summary>Gives up this thread's tile registers, so that nobody saves them any more.</summary>
    public static void Release() => ((delegate* unmanaged<void>)state.Value.Release.Entry)();

    static ExecutableMemory Make(TileKernelKey key) => assembled.Keep(key.Index, () => Write(key));

    static ExecutableMemory AssembleConfigure()
    {
        var c = new Assembler(64);
        c.ldtilecfg(__[OperatingSystem.IsWindows() ? rcx : rdi]);
        c.ret();
        return ExecutableMemory.Of(c);
    }

    static ExecutableMemory AssembleRelease()
    {
        var c = new Assembler(64);
        c.tilerelease();
        c.ret();
        return ExecutableMemory.Of(c);
    }

    /// <summary>The instructions of a kernel: <c>void (TileArguments*)</c>, in the calling convention of this system.</summary>
    public static Assembler Write(in TileKernelKey key)
    {
        AssemblerRegister64 arguments = r11, a = rax, b = rcx, c = rdx, line = r8, counter = r9, stride = r10;
        AssemblerRegister64 ahead = rbx, aheadStride = r12, aheadTriple = r13, nextSums = r14, result = r15, resultStride = rsi,
            farAhead = rdi, leftAhead = rbp;
        var product = key.Product;
        int rowTiles = key.RowTiles, rowsAhead = key.Ahead, resultLines = key.ResultLines, leftLines = key.LeftLines;
        bool leftMoves = key.LeftMoves, adds = key.Adds;
        var x = new Assembler(64);

        x.mov(arguments, OperatingSystem.IsWindows() ? rcx : rdi);
        x.push(ahead);
        x.push(aheadStride);
        x.push(aheadTriple);
        x.push(nextSums);
        x.push(result);
        x.push(resultStride);
        x.push(farAhead);
        if (leftLines > 0)
        {
            x.push(leftAhead);
            x.mov(leftAhead, Field(nameof(TileArguments.LeftAhead)));
        }
        x.mov(r8d, Tiles.RowBytes);
        x.mov(stride, Field(nameof(TileArguments.CStride)));
        x.mov(aheadStride, Field(nameof(TileArguments.AheadStride)));
        x.lea(aheadTriple, __[aheadStride + aheadStride * 2]);
        x.mov(resultStride, Field(nameof(TileArguments.ResultStride)));
        x.mov(c, Field(nameof(TileArguments.C)));

        x.mov(a, Field(nameof(TileArguments.A)));
        x.mov(b, Field(nameof(TileArguments.B)));
        BeginSums();
        LoadLeft(0, 0);
        LoadRight(0, 0);
        LoadRight(1, 0);
        TileSteps.Loop(x, counter, Step, () => x.cmp(Field(nameof(TileArguments.Count)), 1), () =>
        {
            StoreSums();
            x.add(c, Field(nameof(TileArguments.CStep)));
            x.dec(Field(nameof(TileArguments.Count)));
            BeginSums();
        });
        StoreSums();
        Advance(nameof(TileArguments.A), nameof(TileArguments.AStep));
        Advance(nameof(TileArguments.B), nameof(TileArguments.BStep));
        if (leftLines > 0) x.pop(leftAhead);
        x.pop(farAhead);
        x.pop(resultStride);
        x.pop(result);
        x.pop(nextSums);
        x.pop(aheadTriple);
        x.pop(aheadStride);
        x.pop(ahead);
        x.ret();
        return x;

        AssemblerMemoryOperand Field(string name) => __qword_ptr[arguments + (int)Marshal.OffsetOf<TileArguments>(name)];

        // Four products; in between the next tiles take the registers that are done with, and lines are fetched.
        void Step((bool IsOdd, NextTiles Next) at)
        {
            if (rowsAhead > 4) x.lea(farAhead, __[ahead + aheadStride * 4]);
            int column = at.IsOdd ? 1 : 0;
            bool loads = at.Next != NextTiles.None, turns = at.Next == NextTiles.OfProduct;
            // Of the next step, or from where the next product begins.
            int nextLeft = turns ? 0 : rowTiles * Tiles.Bytes, nextRight = turns ? 0 : Tiles.StepBytes;
            Product(0, column);
            Prefetch(0);
            PrefetchSums(0);
            if (rowTiles == 1)
            {
                if (turns) Turn();
                if (loads) LoadRight(column, nextRight);
                PrefetchSums(1);
                Prefetch(1);
                Product(0, 1 - column);
                if (loads) LoadLeft(0, nextLeft);
                if (loads) LoadRight(1 - column, nextRight);
                PrefetchResult(__byte_ptr[result], __byte_ptr[result + Tiles.RowBytes]);
                Prefetch(2);
            }
            else
            {
                // Row by row one way, column by column the other: the first product of a step uses what was loaded first.
                var (second, third, fourth) = at.IsOdd ? ((0, 0), (1, 0), (1, 1)) : ((0, 1), (1, 1), (1, 0));
                LoadLeft(1, 0);
                if (turns) Turn();
                Product(second.Item1, second.Item2);
                if (loads) LoadLeft(0, nextLeft);
                Prefetch(1);
                PrefetchResult(__byte_ptr[result], __byte_ptr[result + Tiles.RowBytes]);
                Product(third.Item1, third.Item2);
                if (loads) LoadRight(third.Item2, nextRight);
                Prefetch(2);
                PrefetchSums(1);
                Product(fourth.Item1, fourth.Item2);
                if (loads) LoadRight(fourth.Item2, nextRight);
            }
            Prefetch(3);
            PrefetchLeft();
            PrefetchResult(__byte_ptr[result + resultStride], __byte_ptr[result + resultStride + Tiles.RowBytes]);
            if (leftLines > 0) x.add(leftAhead, leftLines * Tiles.RowBytes);
            if (at.Next != NextTiles.OfStep) return;
            if (resultLines > 0) x.lea(result, __[result + resultStride * 2]);
            x.add(a, nextLeft);
            x.add(b, nextRight);
            if (rowsAhead > 0) x.add(ahead, Tiles.RowBytes);
            if (adds) x.lea(nextSums, __[nextSums + stride * rowTiles]);
        }

        // The panels of the next product.
        void Turn()
        {
            x.mov(a, Field(nameof(TileArguments.A)));
            x.add(a, Field(nameof(TileArguments.AStep)));
            x.mov(Field(nameof(TileArguments.A)), a);
            x.mov(b, Field(nameof(TileArguments.B)));
            x.add(b, Field(nameof(TileArguments.BStep)));
            x.mov(Field(nameof(TileArguments.B)), b);
        }

        void BeginSums()
        {
            if (adds) Sums((tile, at) => TileSteps.Load(x, tile, at));
            else
                for (int i = 0; i < 2 * rowTiles; i++) TileSteps.Clear(x, TileSteps.Sum(i / 2, i % 2));
            x.mov(nextSums, c);
            x.add(nextSums, Field(nameof(TileArguments.CStep)));
            x.mov(ahead, Field(nameof(TileArguments.Ahead)));
            x.mov(result, Field(nameof(TileArguments.Result)));
            x.mov(counter, Field(nameof(TileArguments.Steps)));
        }

        void StoreSums()
        {
            Sums((tile, at) => TileSteps.Store(x, at, tile));
            if (rowsAhead > 0) Advance(nameof(TileArguments.Ahead), nameof(TileArguments.AheadStep));
            if (resultLines > 0) Advance(nameof(TileArguments.Result), nameof(TileArguments.ResultStep));
        }

        void LoadLeft(int row, int offset) =>
            TileSteps.Load(x, TileSteps.Left(row), __[a + line * 1 + (offset + row * Tiles.Bytes)], leftMoves);

        void LoadRight(int column, int offset) =>
            TileSteps.Load(x, TileSteps.Right(column), __[b + line * 1 + (offset + column * Tiles.Bytes)], !leftMoves);

        void Product(int row, int column) => TileSteps.Multiply(x, product, row, column);

        // Lines of rows ahead; between the products, so that they do not fill the line buffers all at once.
        void Prefetch(int row)
        {
            if (rowsAhead <= 8)
            {
                Line(row, ahead);
                Line(row + 4, farAhead);
                return;
            }
            // Four at each place between the products.
            for (int i = 4 * row; i < 4 * row + 4; i++) Line(i, row == 0 ? ahead : farAhead);
            if (row > 0) x.lea(farAhead, __[farAhead + aheadStride * 4]);
        }

        void Line(int row, AssemblerRegister64 first)
        {
            if (row < rowsAhead)
                x.prefetcht1((row % 4) switch
                {
                    0 => __byte_ptr[first],
                    1 => __byte_ptr[first + aheadStride],
                    2 => __byte_ptr[first + aheadStride * 2],
                    _ => __byte_ptr[first + aheadTriple],
                });
        }

        // Where the sums will go: stores that have to wait for memory hold up those of the next sums.
        void PrefetchResult(AssemblerMemoryOperand first, AssemblerMemoryOperand second)
        {
            if (resultLines > 0) x.prefetcht1(first);
            if (resultLines > 1) x.prefetcht1(second);
        }

        void PrefetchLeft()
        {
            for (int i = 0; i < leftLines; i++) x.prefetcht1(__byte_ptr[leftAhead + i * Tiles.RowBytes]);
        }

        // Sums that the next product adds to: as many rows per step as make up the product in the usual 16 steps.
        void PrefetchSums(int row)
        {
            if (!adds) return;
            x.prefetcht0(row == 0 ? __byte_ptr[nextSums] : __byte_ptr[nextSums + stride]);
            x.prefetcht0(row == 0 ? __byte_ptr[nextSums + Tiles.RowBytes] : __byte_ptr[nextSums + stride + Tiles.RowBytes]);
        }

        void Sums(Action<AssemblerRegisterTMM, AssemblerMemoryOperand> one)
        {
            x.mov(counter, c);
            x.add(counter, Field(nameof(TileArguments.CTile)));
            one(tmm0, __[c + stride * 1]);
            one(tmm1, __[c + stride * 1 + Tiles.RowBytes]);
            if (rowTiles == 1) return;
            one(tmm2, __[counter + stride * 1]);
            one(tmm3, __[counter + stride * 1 + Tiles.RowBytes]);
        }

        void Advance(string pointer, string by)
        {
            x.mov(counter, Field(by));
            x.add(Field(pointer), counter);
        }
    }
}
