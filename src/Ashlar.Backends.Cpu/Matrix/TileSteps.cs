using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>What all kernels of two by two tiles share: which register holds what, and the loop over steps.</summary>
static class TileSteps
{
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
    public static void Multiply(Assembler x, TileProduct product, int row, int column) =>
        product.Multiply(x, Sum(row, column), Left(row), Right(column));

    /// <summary>Writes a loop over all steps, at least one: even and odd ones in turn, the last by itself because it loads
    /// nothing for a next one.</summary>
    /// <param name="x">Takes the instructions.</param>
    /// <param name="counter">Holds the count of steps, and is changed.</param>
    /// <param name="step">Writes one step; it must leave <paramref name="counter"/> alone.</param>
    public static void Loop(Assembler x, AssemblerRegister64 counter, Action<(bool IsOdd, bool IsLast)> step)
    {
        Label pair = x.CreateLabel(), tail = x.CreateLabel(), one = x.CreateLabel(), done = x.CreateLabel();
        x.cmp(counter, 2);
        x.jle(tail);
        x.Label(ref pair);
        step((IsOdd: false, IsLast: false));
        step((IsOdd: true, IsLast: false));
        x.sub(counter, 2);
        x.cmp(counter, 2);
        x.jg(pair);
        x.Label(ref tail);
        x.cmp(counter, 1);
        x.je(one);
        step((IsOdd: false, IsLast: false));
        step((IsOdd: true, IsLast: true));
        x.jmp(done);
        x.Label(ref one);
        step((IsOdd: false, IsLast: true));
        x.Label(ref done);
    }
}
