using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>What a kernel of <see cref="TileDotKernels"/> works on: panels of rows by panels of columns, 32 of each.</summary>
[StructLayout(LayoutKind.Sequential)]
struct TileDotArguments
{
    public long A;             // the left operand's first element
    public long AStride;       // bytes from one row of a tile to the next
    public long ATile;         // bytes to the next 16 rows
    public long AStep;         // bytes to the next step of the inner axis
    public long APanel;        // bytes to the next 32 rows
    public long B;             // packed panels of the right operand
    public long BPanel;        // bytes from one panel to the next
    public long C;             // sums, rows of 32-bit elements
    public long CStride;       // bytes from one row of sums to the next
    public long Steps;         // of the inner axis, at least 1
    public long RowPanels;     // at least 1
    public long ColumnPanels;  // at least 1
}

/// <summary>Assembles and keeps the kernels that multiply the tiles of a kernel: left operands as they lie in memory, right ones
/// packed.</summary>
/// <remarks>
/// A tile of the left operand is 16 rows of 64 bytes at any stride, so rows of contiguous inner indices need no packing. For each
/// panel of rows all panels of columns are done: the rows stay in the first cache, and the columns are loaded with the hint that
/// they are used once (<c>tileloaddt1</c>), so that they come from the second cache without driving the rows out. The thread that
/// calls one has loaded <see cref="Amx.FullTiles"/>.
/// </remarks>
static unsafe class TileDotKernels
{
    static readonly AssembledKernels assembled = new(5 * 2);

    /// <summary>The kernel for a product, assembled at its first use.</summary>
    /// <param name="product">What it multiplies.</param>
    /// <param name="adds">It adds to the sums; else it replaces them.</param>
    /// <exception cref="DeviceException">The system grants no executable memory.</exception>
    public static delegate* unmanaged<TileDotArguments*, void> Get(TileProduct product, bool adds)
    {
        int index = (int)product * 2 + (adds ? 1 : 0);
        var code = assembled.Find(index) ?? Make(product, adds, index);
        return (delegate* unmanaged<TileDotArguments*, void>)code.Entry;
    }

    static ExecutableMemory Make(TileProduct product, bool adds, int index) => assembled.Keep(index, () => Write(product, adds));

    /// <summary>The instructions of a kernel: <c>void (TileDotArguments*)</c>, in the calling convention of this
    /// system.</summary>
    public static Assembler Write(TileProduct product, bool adds)
    {
        AssemblerRegister64 arguments = r11, a = rax, lowerRows = rsi, b = rcx, c = rdx, line = r8, counter = r9, cStride = r10;
        AssemblerRegister64 aStride = rbx, aStep = r12, panel = rdi, columns = r14, rows = r15, lower = r13;
        AssemblerRegister64[] saved = [rbx, rsi, rdi, r12, r13, r14, r15];
        var x = new Assembler(64);

        x.mov(arguments, OperatingSystem.IsWindows() ? rcx : rdi);
        foreach (var register in saved) x.push(register);
        x.mov(r8d, Tiles.RowBytes);
        x.mov(aStride, Field(nameof(TileDotArguments.AStride)));
        x.mov(aStep, Field(nameof(TileDotArguments.AStep)));
        x.mov(cStride, Field(nameof(TileDotArguments.CStride)));
        x.mov(rows, Field(nameof(TileDotArguments.RowPanels)));

        var nextRows = x.CreateLabel();
        x.Label(ref nextRows);
        x.mov(panel, Field(nameof(TileDotArguments.B)));
        x.mov(c, Field(nameof(TileDotArguments.C)));
        x.mov(columns, Field(nameof(TileDotArguments.ColumnPanels)));
        x.mov(lower, cStride);
        x.shl(lower, 4);
        x.add(lower, c);
        Panels();
        BeginSums();
        LoadLeft(0);
        LoadRight(0);
        LoadRight(1);
        TileSteps.Loop(x, counter, Step, () => x.cmp(columns, 1), () =>
        {
            Sums((tile, at) => TileSteps.Store(x, at, tile));
            x.add(c, 2 * Tiles.RowBytes);
            x.add(lower, 2 * Tiles.RowBytes);
            x.dec(columns);
            BeginSums();
        });
        Sums((tile, at) => TileSteps.Store(x, at, tile));

        x.mov(a, Field(nameof(TileDotArguments.APanel)));
        x.add(Field(nameof(TileDotArguments.A)), a);
        x.mov(a, cStride);
        x.shl(a, 5);
        x.add(Field(nameof(TileDotArguments.C)), a);
        x.dec(rows);
        x.jnz(nextRows);
        foreach (var register in saved.Reverse()) x.pop(register);
        x.ret();
        return x;

        AssemblerMemoryOperand Field(string name) => __qword_ptr[arguments + (int)Marshal.OffsetOf<TileDotArguments>(name)];

        // Four products and loads in turn; the next step's tiles take the registers that are done with. Every other step goes
        // column by column instead of row by row, so that its first product uses what was loaded first.
        void Step((bool IsOdd, NextTiles Next) at)
        {
            var (first, second, third, fourth) = at.IsOdd ? ((0, 1), (0, 0), (1, 0), (1, 1)) : ((0, 0), (0, 1), (1, 1), (1, 0));
            bool loads = at.Next != NextTiles.None;
            Product(first);
            LoadLeft(1);
            if (at.Next == NextTiles.OfStep)
            {
                x.add(a, aStep);
                x.add(lowerRows, aStep);
                x.add(b, Tiles.StepBytes);
            }
            else if (loads)
            {
                x.add(panel, Field(nameof(TileDotArguments.BPanel)));
                Panels();
            }
            Product(second);
            if (loads) LoadLeft(0);
            Product(third);
            if (loads) LoadRight(third.Item2);
            Product(fourth);
            if (loads) LoadRight(fourth.Item2);
        }

        // Where a product begins: the rows again, and a panel of columns.
        void Panels()
        {
            x.mov(a, Field(nameof(TileDotArguments.A)));
            x.mov(lowerRows, Field(nameof(TileDotArguments.ATile)));
            x.add(lowerRows, a);
            x.mov(b, panel);
        }

        void BeginSums()
        {
            if (adds) Sums((tile, at) => TileSteps.Load(x, tile, at));
            else foreach (var tile in new[] { tmm0, tmm1, tmm2, tmm3 }) TileSteps.Clear(x, tile);
            x.mov(counter, Field(nameof(TileDotArguments.Steps)));
        }

        void LoadLeft(int row) =>
            TileSteps.Load(x, TileSteps.Left(row), row == 0 ? __[a + aStride * 1] : __[lowerRows + aStride * 1]);

        void LoadRight(int column) => TileSteps.Load(x, TileSteps.Right(column),
            column == 0 ? __[b + line * 1] : __[b + line * 1 + Tiles.Bytes], once: true);

        void Product((int Row, int Column) tile) => TileSteps.Multiply(x, product, tile.Row, tile.Column);

        void Sums(Action<AssemblerRegisterTMM, AssemblerMemoryOperand> one)
        {
            one(tmm0, __[c + cStride * 1]);
            one(tmm1, __[c + cStride * 1 + Tiles.RowBytes]);
            one(tmm2, __[lower + cStride * 1]);
            one(tmm3, __[lower + cStride * 1 + Tiles.RowBytes]);
        }
    }
}
