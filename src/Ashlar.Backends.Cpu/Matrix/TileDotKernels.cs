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

/// <summary>Assembles and keeps the kernels that multiply the tiles of a kernel: left operands as they lie in memory, right ones packed.</summary>
/// <remarks>
/// A tile of the left operand is 16 rows of 64 bytes at any stride, so rows of contiguous inner indices need no packing. For each
/// panel of rows all panels of columns are done: the rows stay in the first cache, and the columns are loaded with the hint that they
/// are used once (<c>tileloaddt1</c>), so that they come from the second cache without driving the rows out. The thread that calls one has loaded
/// <see cref="Amx.FullTiles"/>.
/// </remarks>
static unsafe class TileDotKernels
{
    static readonly ExecutableMemory?[] assembled = new ExecutableMemory?[5 * 2];
    static readonly Lock assembling = new();

    /// <summary>The kernel for a product, assembled at its first use.</summary>
    /// <param name="product">What it multiplies.</param>
    /// <param name="adds">It adds to the sums; else it replaces them.</param>
    /// <exception cref="DeviceException">The system grants no executable memory.</exception>
    public static delegate* unmanaged<TileDotArguments*, void> Get(TileProduct product, bool adds)
    {
        int index = (int)product * 2 + (adds ? 1 : 0);
        var code = Volatile.Read(ref assembled[index]) ?? Make(product, adds, index);
        return (delegate* unmanaged<TileDotArguments*, void>)code.Entry;
    }

    static ExecutableMemory Make(TileProduct product, bool adds, int index)
    {
        lock (assembling)
        {
            if (assembled[index] is { } already) return already;
            var made = ExecutableMemory.Of(Write(product, adds));
            Volatile.Write(ref assembled[index], made);
            return made;
        }
    }

    /// <summary>The instructions of a kernel: <c>void (TileDotArguments*)</c>, in the calling convention of this system.</summary>
    public static Assembler Write(TileProduct product, bool adds)
    {
        AssemblerRegister64 arguments = r11, a = rax, second = rsi, b = rcx, c = rdx, line = r8, counter = r9, cStride = r10;
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

        Label nextRows = x.CreateLabel(), nextColumns = x.CreateLabel(), step = x.CreateLabel();
        x.Label(ref nextRows);
        x.mov(panel, Field(nameof(TileDotArguments.B)));
        x.mov(c, Field(nameof(TileDotArguments.C)));
        x.mov(columns, Field(nameof(TileDotArguments.ColumnPanels)));
        x.Label(ref nextColumns);
        x.mov(lower, cStride);
        x.shl(lower, 4);
        x.add(lower, c);
        if (adds) Sums((tile, at) => x.tileloadd(tile, at));
        else foreach (var tile in new[] { tmm0, tmm1, tmm2, tmm3 }) x.tilezero(tile);
        x.mov(a, Field(nameof(TileDotArguments.A)));
        x.mov(second, Field(nameof(TileDotArguments.ATile)));
        x.add(second, a);
        x.mov(b, panel);
        x.mov(counter, Field(nameof(TileDotArguments.Steps)));

        x.Label(ref step);
        x.tileloaddt1(tmm6, __[b + line * 1]);
        x.tileloadd(tmm4, __[a + aStride * 1]);
        Multiply(tmm0, tmm4, tmm6);
        x.tileloaddt1(tmm7, __[b + line * 1 + Tiles.Bytes]);
        Multiply(tmm1, tmm4, tmm7);
        x.tileloadd(tmm5, __[second + aStride * 1]);
        Multiply(tmm2, tmm5, tmm6);
        Multiply(tmm3, tmm5, tmm7);
        x.add(a, aStep);
        x.add(second, aStep);
        x.add(b, Tiles.StepBytes);
        x.dec(counter);
        x.jnz(step);

        Sums((tile, at) => x.tilestored(at, tile));
        x.add(panel, Field(nameof(TileDotArguments.BPanel)));
        x.add(c, 2 * Tiles.RowBytes);
        x.dec(columns);
        x.jnz(nextColumns);

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

        void Multiply(AssemblerRegisterTMM sum, AssemblerRegisterTMM left, AssemblerRegisterTMM right)
        {
            switch (product)
            {
                case TileProduct.BF16: x.tdpbf16ps(sum, left, right); break;
                case TileProduct.SignedSigned: x.tdpbssd(sum, left, right); break;
                case TileProduct.SignedUnsigned: x.tdpbsud(sum, left, right); break;
                case TileProduct.UnsignedSigned: x.tdpbusd(sum, left, right); break;
                default: x.tdpbuud(sum, left, right); break;
            }
        }

        void Sums(Action<AssemblerRegisterTMM, AssemblerMemoryOperand> one)
        {
            one(tmm0, __[c + cStride * 1]);
            one(tmm1, __[c + cStride * 1 + Tiles.RowBytes]);
            one(tmm2, __[lower + cStride * 1]);
            one(tmm3, __[lower + cStride * 1 + Tiles.RowBytes]);
        }
    }
}
