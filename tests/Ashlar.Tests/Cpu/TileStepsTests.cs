using Ashlar.Backends.Cpu.Matrix;
using Iced.Intel;

namespace Ashlar.Tests.Cpu;

/// <summary>How far apart the tile instructions of a kernel lie, on every way through it; needs no tile unit.</summary>
public sealed class TileStepsTests
{
    [Theory, InlineData(1), InlineData(2)]
    public void Kernels_KeepTileInstructionsApart_WhateverElseTheyDo(int rowTiles)
    {
        foreach (var product in Enum.GetValues<TileProduct>())
            foreach (bool flag in (bool[])[false, true])
                foreach (int lines in (int[])[0, 1, 4, 5, 8, 9, 16])
                {
                    CheckApart(TileKernels.Write(
                        new(product, rowTiles, LeftMoves: flag, Adds: false, lines, lines % 3, lines / 4)));
                    CheckApart(TileKernels.Write(new(product, rowTiles, LeftMoves: true, Adds: flag, lines)));
                }
    }

    [Fact]
    public void DotKernels_KeepTileInstructionsApart()
    {
        foreach (var product in Enum.GetValues<TileProduct>())
        {
            CheckApart(TileDotKernels.Write(product, adds: false));
            CheckApart(TileDotKernels.Write(product, adds: true));
        }
    }

    [Fact]
    public void Space_CountsUsefulInstructions()
    {
        var x = new Assembler(64);
        TileSteps.Space(x);
        Assert.Empty(x.Instructions);
        x.tilezero(AssemblerRegisters.tmm0);
        for (int i = 0; i < TileSteps.Apart - 2; i++) x.inc(AssemblerRegisters.rax);
        TileSteps.Space(x);
        Assert.Equal(2, x.Instructions.Count(instruction => instruction.Mnemonic == Mnemonic.Nop));
        TileSteps.Space(x);
        Assert.Equal(2, x.Instructions.Count(instruction => instruction.Mnemonic == Mnemonic.Nop));
    }

    // Of each instruction, over all ways to it, the fewest that lie between it and the last tile instruction.
    static void CheckApart(Assembler assembler)
    {
        var code = Decoded(assembler);
        var places = code.Select((instruction, at) => (instruction.IP, at)).ToDictionary(pair => pair.IP, pair => pair.at);
        int[] between = new int[code.Count];
        Array.Fill(between, int.MaxValue);
        bool changes = true;
        while (changes)
        {
            changes = false;
            for (int at = 0; at < code.Count; at++)
            {
                int behind = TileSteps.IsTile(code[at].Mnemonic) ? 0
                    : between[at] == int.MaxValue ? int.MaxValue
                    : between[at] + 1;
                if (code[at].FlowControl is FlowControl.Next or FlowControl.ConditionalBranch) Reach(at + 1, behind);
                if (code[at].FlowControl is FlowControl.ConditionalBranch or FlowControl.UnconditionalBranch)
                    Reach(places[code[at].NearBranchTarget], behind);
            }
        }
        Assert.Contains(code, instruction => TileSteps.IsTile(instruction.Mnemonic));
        for (int at = 0; at < code.Count; at++)
            if (TileSteps.IsTile(code[at].Mnemonic))
                Assert.True(between[at] >= TileSteps.Apart, $"{code[at]} comes {between[at]} instructions after another");

        void Reach(int at, int count)
        {
            if (count >= between[at]) return;
            between[at] = count;
            changes = true;
        }
    }

    static List<Instruction> Decoded(Assembler assembler)
    {
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), 0);
        byte[] bytes = stream.ToArray();
        var decoder = Decoder.Create(64, bytes);
        var code = new List<Instruction>();
        while (decoder.IP < (ulong)bytes.Length) code.Add(decoder.Decode());
        return code;
    }
}
