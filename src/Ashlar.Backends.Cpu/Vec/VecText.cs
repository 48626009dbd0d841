using System.Globalization;
using System.Text;

namespace Ashlar.Backends.Cpu.Vec;

/// <summary>The printed form of a <see cref="VecFunction"/>: one instruction a line, bodies indented.</summary>
internal static class VecText
{
    public static string Print(VecFunction function)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture,
            $"vec {function.Name} {function.Isa.Name} ({string.Join(", ", function.Parameters)}) {{\n");
        Block(text, function.Body, 1);
        return text.Append("}\n").ToString();
    }

    static void Block(StringBuilder text, IReadOnlyList<Instruction> body, int depth)
    {
        string indent = new(' ', depth * 2);
        foreach (var instruction in body)
        {
            text.Append(indent);
            switch (instruction)
            {
                case Loop loop:
                    text.Append(CultureInfo.InvariantCulture,
                        $"loop {loop.Counter} = {loop.Begin} .. {loop.End} step {loop.Step} {{\n");
                    Block(text, loop.Body, depth + 1);
                    text.Append(indent).Append("}\n");
                    break;
                case If branch:
                    text.Append(CultureInfo.InvariantCulture, $"if {branch.Condition} {{\n");
                    Block(text, branch.Then, depth + 1);
                    if (branch.Else.Count > 0)
                    {
                        text.Append(indent).Append("} else {\n");
                        Block(text, branch.Else, depth + 1);
                    }
                    text.Append(indent).Append("}\n");
                    break;
                default:
                    text.Append(Line(instruction)).Append('\n');
                    break;
            }
        }
    }

    /// <summary>The text of an instruction without a body, or the head of one that has one.</summary>
    public static string Line(Instruction instruction) => instruction switch
    {
        Set set => $"{set.Target}: {set.Target.Type} = {Value(set.Value)}",
        Store s => $"store.{s.Storage.Name}{(s.Stream ? ".stream" : "")} {s.At}, {s.Value}{Masked(s.Mask)}",
        Scatter s => $"scatter.{s.Storage.Name} {s.At}, {s.Index}, {s.Value}{Masked(s.Mask)}",
        Prefetch p => $"prefetch{(p.Near ? "" : " far")} {p.At}",
        Fence => "fence",
        Call call => $"{(call.Result is null ? "" : call.Result + " = ")}call {call.Method.DeclaringType?.Name}.{call.Method.Name}"
            + $"({string.Join(", ", call.Arguments)})",
        Note note => "# " + note.Text,
        Loop loop => $"loop {loop.Counter} = {loop.Begin} .. {loop.End} step {loop.Step}",
        If branch => $"if {branch.Condition}",
        _ => instruction.ToString(),
    };

    static string Value(Operation operation) => operation switch
    {
        Constant { Type.Elem: Elem.F32 } c =>
            BitConverter.UInt32BitsToSingle((uint)c.Bits).ToString("R", CultureInfo.InvariantCulture),
        Constant { Type.Elem: Elem.F64 } c => BitConverter.Int64BitsToDouble(c.Bits).ToString("R", CultureInfo.InvariantCulture),
        Constant { Type: { Elem: Elem.I32 } } c => ((int)c.Bits).ToString(CultureInfo.InvariantCulture),
        Constant c => c.Bits.ToString(CultureInfo.InvariantCulture),
        Parameter p => $"parameter {p.Index}",
        Load l => $"load.{l.Storage.Name} {l.At}{Masked(l.Mask)}",
        LoadSplat l => $"loadsplat.{l.Storage.Name} {l.At}",
        Gather g => $"gather.{g.Storage.Name} {g.At}, {g.Index}{Masked(g.Mask)}",
        Compute c => string.Join(' ', ((object?[])[c.Op.ToString().ToLowerInvariant(), c.A, c.B, c.C]).Where(x => x is not null))
            + (c.Immediate == 0 ? "" : $" #{c.Immediate}"),
        _ => operation.ToString(),
    };

    static string Masked(Reg? mask) => mask is null ? "" : $" if {mask}";
}
