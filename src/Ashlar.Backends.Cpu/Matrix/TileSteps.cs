using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>What all kernels of two by two tiles share: which register holds what, how far apart tile instructions lie, and the
/// loop over steps.</summary>
/// <remarks>
/// <para>
/// While the other thread of a core is busy, tile instructions that follow each other closely take twice their time, and loads no
/// longer overlap with products. With six other instructions between any two of them, as many as the processor takes in at
/// once, most of that is won back: four products and four loads from the first cache take 70 ns instead of 110, 29 on a
/// core of one's own in either case. So every tile instruction is written here, and idle ones fill what no useful ones do.
/// </para>
/// <para>
/// A register is cleared before it is loaded for the same reason: 55 ns instead of 70. What it held need not be waited for.
/// </para>
/// </remarks>
static class TileSteps
{
    /// <summary>Other instructions between two of the tile unit, at least.</summary>
    public const int Apart = 6;

    /// <summary>The register of a tile of sums.</summary>
    public static AssemblerRegisterTMM Sum(int row, int column) => (row, column) switch
    {
        (0, 0) => tmm0,
        (0, 1) => tmm1,
        (1, 0) => tmm2,
        _ => tmm3,
    };

    /// <summary>The register of a row of tiles of the left operand.</summary>
    public static AssemblerRegisterTMM Left(int row) => row == 0 ? tmm4 : tmm5;

    /// <summary>The register of a column of tiles of the right operand.</summary>
    public static AssemblerRegisterTMM Right(int column) => column == 0 ? tmm6 : tmm7;

    /// <summary>Writes the instruction that adds to a tile of sums the product of its row and its column.</summary>
    public static void Multiply(Assembler x, TileProduct product, int row, int column)
    {
        Space(x);
        product.Multiply(x, Sum(row, column), Left(row), Right(column));
    }

    /// <summary>Writes the instruction that clears a tile.</summary>
    public static void Clear(Assembler x, AssemblerRegisterTMM tile)
    {
        Space(x);
        x.tilezero(tile);
    }

    /// <summary>Writes the load of a tile.</summary>
    /// <param name="x">Takes the instructions.</param>
    /// <param name="tile">The register.</param>
    /// <param name="from">The first row; the index register holds the bytes from one row to the next.</param>
    /// <param name="once">It is used once and should not stay in the first cache.</param>
    public static void Load(Assembler x, AssemblerRegisterTMM tile, AssemblerMemoryOperand from, bool once = false)
    {
        Clear(x, tile);
        Space(x);
        if (once) x.tileloaddt1(tile, from);
        else x.tileloadd(tile, from);
    }

    /// <summary>Writes the store of a tile.</summary>
    public static void Store(Assembler x, AssemblerMemoryOperand to, AssemblerRegisterTMM tile)
    {
        Space(x);
        x.tilestored(to, tile);
    }

    /// <summary>Writes idle instructions until <see cref="Apart"/> lie behind the last tile instruction, if there was
    /// one.</summary>
    public static void Space(Assembler x)
    {
        int last = x.Instructions.Count - 1, at = last;
        while (at >= 0 && at > last - Apart && !IsTile(x.Instructions[at].Mnemonic)) at--;
        if (at < 0) return;
        for (int since = last - at; since < Apart; since++) x.nop();
    }

    /// <summary>Whether an instruction moves or multiplies tiles.</summary>
    public static bool IsTile(Mnemonic mnemonic) => mnemonic is Mnemonic.Tilezero or Mnemonic.Tileloadd or Mnemonic.Tileloaddt1
        or Mnemonic.Tilestored or Mnemonic.Tdpbf16ps or Mnemonic.Tdpbssd or Mnemonic.Tdpbsud or Mnemonic.Tdpbusd
        or Mnemonic.Tdpbuud;

    /// <summary>Writes a run of products of two panels: for each a loop over its steps, at least one, even and odd ones in turn.
    /// The last step of a product loads what the next one begins with, so the tile unit does not wait in between; the very last
    /// loads nothing.</summary>
    /// <param name="x">Takes the instructions.</param>
    /// <param name="counter">Holds the count of steps, and is changed.</param>
    /// <param name="step">Writes one step; it must leave <paramref name="counter"/> alone.</param>
    /// <param name="compareProducts">Writes a comparison of the products that are left, this one among them, with 1.</param>
    /// <param name="turn">Writes what stores the sums, begins the next ones, and sets <paramref name="counter"/>.</param>
    /// <remarks>Before it come the first loads and sums, behind it the stores of the last sums.</remarks>
    public static void Loop(Assembler x, AssemblerRegister64 counter, Action<(bool IsOdd, NextTiles Next)> step,
        Action compareProducts, Action turn)
    {
        Label product = x.CreateLabel(), pair = x.CreateLabel(), tail = x.CreateLabel(), last = x.CreateLabel();
        // Space comes before each place that is jumped to, so that it holds for every way to it.
        Space(x);
        x.Label(ref product);
        x.cmp(counter, 2);
        x.jle(tail);
        x.Label(ref pair);
        step((IsOdd: false, NextTiles.OfStep));
        step((IsOdd: true, NextTiles.OfStep));
        Space(x);
        x.sub(counter, 2);
        x.cmp(counter, 2);
        x.jg(pair);
        x.Label(ref tail);
        compareProducts();
        x.je(last);
        LastSteps(NextTiles.OfProduct);
        turn();
        Space(x);
        x.jmp(product);
        x.Label(ref last);
        LastSteps(NextTiles.None);

        // The one or two steps that are left of a product.
        void LastSteps(NextTiles next)
        {
            Label one = x.CreateLabel(), done = x.CreateLabel();
            x.cmp(counter, 1);
            x.je(one);
            step((IsOdd: false, NextTiles.OfStep));
            step((IsOdd: true, next));
            Space(x);
            x.jmp(done);
            x.Label(ref one);
            step((IsOdd: false, next));
            Space(x);
            x.Label(ref done);
        }
    }
}

/// <summary>What a step loads for later.</summary>
enum NextTiles : byte
{
    /// <summary>The tiles of the next step.</summary>
    OfStep,
    /// <summary>Those of the first step of the next product.</summary>
    OfProduct,
    /// <summary>None: it is the last of all.</summary>
    None,
}
