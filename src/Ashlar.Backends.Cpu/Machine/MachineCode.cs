using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Iced.Intel;
using Decoder = Iced.Intel.Decoder;

namespace Ashlar.Backends.Cpu;

/// <summary>Machine code of this process as text: what the JIT made of a kernel, or what was assembled.</summary>
/// <remarks>How long a function is nobody says, so its jumps are followed: it ends behind the last instruction that any of them
/// leads to.</remarks>
static unsafe class MachineCode
{
    const int MostBytes = 1 << 20;      // of one function

    /// <summary>The instructions of a static method behind a delegate, compiled before.</summary>
    public static string Listing(Delegate method)
    {
        ArgumentNullException.ThrowIfNull(method);
        var entry = (byte*)Target(method);
        string text = Listing(Behind(entry == null ? (byte*)Entry(method) : entry));
        GC.KeepAlive(method);
        return text;
    }

    /// <summary>The instructions of a function, one a line with its offset; jumps within it name the offset they lead to.</summary>
    /// <param name="start">Its first instruction.</param>
    public static string Listing(byte* start)
    {
        var decoder = Decoder.Create(64, new Bytes(start));
        decoder.IP = (ulong)start;
        var instructions = new List<Instruction>();
        ulong last = decoder.IP, limit = decoder.IP + MostBytes;
        while (decoder.IP < limit)
        {
            var instruction = decoder.Decode();
            if (instruction.IsInvalid) break;
            instructions.Add(instruction);
            if (instruction.FlowControl is FlowControl.ConditionalBranch or FlowControl.UnconditionalBranch
                && instruction.NearBranchTarget is var target && target > (ulong)start && target < limit)
                last = Math.Max(last, target);
            bool goesOn = instruction.FlowControl is not (FlowControl.Return or FlowControl.UnconditionalBranch
                or FlowControl.IndirectBranch or FlowControl.Interrupt or FlowControl.Exception);
            if (!goesOn && decoder.IP > last) break;
        }
        var formatter = new IntelFormatter(new Places((ulong)start, decoder.IP));
        formatter.Options.HexPrefix = "0x";
        formatter.Options.HexSuffix = "";
        formatter.Options.UppercaseHex = false;
        formatter.Options.SpaceAfterOperandSeparator = true;
        formatter.Options.RipRelativeAddresses = true;
        var text = new StringBuilder();
        var line = new StringOutput();
        foreach (var instruction in instructions)
        {
            formatter.Format(instruction, line);
            text.Append(CultureInfo.InvariantCulture, $"  {instruction.IP - (ulong)start:x5}  {line.ToStringAndReset()}\n");
        }
        return text.ToString();
    }

    // A method is entered through jumps that the runtime may turn elsewhere.
    static byte* Behind(byte* entry)
    {
        for (int jumps = 0; jumps < 4; jumps++)
        {
            var decoder = Decoder.Create(64, new Bytes(entry));
            decoder.IP = (ulong)entry;
            var first = decoder.Decode();
            if (first.Code is Code.Jmp_rel32_64 or Code.Jmp_rel8_64) entry = (byte*)first.NearBranchTarget;
            else if (first.Code == Code.Jmp_rm64 && first.IsIPRelativeMemoryOperand)
                entry = *(byte**)first.IPRelativeMemoryAddress;
            else break;
        }
        return entry;
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_methodPtrAux")]
    static extern ref nint Target(Delegate method);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_methodPtr")]
    static extern ref nint Entry(Delegate method);

    sealed class Bytes(byte* at) : CodeReader
    {
        byte* next = at;

        public override int ReadByte() => *next++;
    }

    sealed class Places(ulong start, ulong end) : ISymbolResolver
    {
        public bool TryGetSymbol(in Instruction instruction, int operand, int instructionOperand, ulong address, int addressSize,
            out SymbolResult symbol)
        {
            bool isInside = address >= start && address < end;
            symbol = isInside ? new(address, $"{address - start:x5}") : default;
            return isInside;
        }
    }
}
