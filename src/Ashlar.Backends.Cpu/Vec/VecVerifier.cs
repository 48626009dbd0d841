using System.Runtime.CompilerServices;

namespace Ashlar.Backends.Cpu.Vec;

/// <summary>Checks that a <see cref="VecFunction"/> is well formed: types, definitions before uses, what its path
/// offers.</summary>
internal static class VecVerifier
{
    /// <exception cref="KernelException">ASH0550: it is not.</exception>
    public static void Verify(VecFunction function) => new Check(function).Block(function.Body, []);

    /// <summary>True where a path can load and store under a mask.</summary>
    /// <param name="isa">The path.</param>
    /// <param name="type">Type of the register.</param>
    /// <param name="storage">Type of the elements in memory.</param>
    public static bool CanMask(Isa isa, VecType type, DType storage) => isa switch
    {
        Isa.Avx512 => type.Lanes >= 4,
        Isa.Avx2 => type.Lanes >= 4 && type.Bits <= 256 && storage.Bytes >= 4,
        _ => false,
    };

    sealed class Check(VecFunction function)
    {
        public void Block(IReadOnlyList<Instruction> body, HashSet<int> defined)
        {
            foreach (var instruction in body) One(instruction, defined);
        }

        void One(Instruction instruction, HashSet<int> defined)
        {
            switch (instruction)
            {
                case Set set:
                    Operation(instruction, set.Value, defined);
                    Require(set.Target.Type == set.Value.Type, instruction,
                        $"the register is {set.Target.Type}, the value {set.Value.Type}");
                    Width(instruction, set.Target.Type);
                    defined.Add(set.Target.Id);
                    break;
                case Store s:
                    At(instruction, s.At, defined);
                    Use(instruction, s.Value, defined);
                    Memory(instruction, s.Value.Type, s.Storage, s.Mask, defined);
                    if (s.Stream)
                        Require(s.Mask is null && s.Value.Type.Lanes * s.Storage.Bytes is 16 or 32 or 64, instruction,
                            "a streaming store writes a whole register, without a mask");
                    break;
                case Scatter s:
                    At(instruction, s.At, defined);
                    Use(instruction, s.Value, defined);
                    Index(instruction, s.Value.Type, s.Index, defined);
                    Storage(instruction, s.Value.Type, s.Storage);
                    if (s.Mask is { } mask) Mask(instruction, s.Value.Type, mask, defined);
                    break;
                case Prefetch p:
                    At(instruction, p.At, defined);
                    break;
                case Call call:
                    foreach (var argument in call.Arguments) Scalar(instruction, argument, defined);
                    var parameters = call.Method.GetParameters();
                    Require(call.Method.IsStatic && parameters.Length == call.Arguments.Count
                        && parameters.All(p => p.ParameterType == typeof(long) || p.ParameterType == typeof(nint)), instruction,
                        "the method must be static and take as many longs and nints as there are arguments");
                    if (call.Result is { } result)
                    {
                        Require(result.Type.IsScalar, instruction, "the result is a scalar");
                        defined.Add(result.Id);
                    }
                    break;
                case Loop loop:
                    Scalar(instruction, loop.Begin, defined);
                    Scalar(instruction, loop.End, defined);
                    Require(loop.Counter.Type.IsScalar
                        && loop.Step > 0, instruction, "the counter is a scalar and the step positive");
                    Require(!Assigns(loop.Body, loop.Counter) && !Assigns(loop.Body, loop.End), instruction,
                        "the body must not set the counter or the end");
                    Block(loop.Body, [.. defined, loop.Counter.Id]);
                    break;
                case If branch:
                    Scalar(instruction, branch.Condition, defined);
                    HashSet<int> first = [.. defined], second = [.. defined];
                    Block(branch.Then, first);
                    Block(branch.Else, second);
                    first.IntersectWith(second);
                    defined.UnionWith(first);
                    break;
            }
        }

        void Operation(Instruction where, Operation operation, HashSet<int> defined)
        {
            switch (operation)
            {
                case Parameter p:
                    Require(p.Index >= 0 && p.Index < function.Parameters.Count, where, "there is no such parameter");
                    break;
                case Load l:
                    At(where, l.At, defined);
                    Memory(where, l.Type, l.Storage, l.Mask, defined);
                    break;
                case LoadSplat l:
                    At(where, l.At, defined);
                    Storage(where, l.Type, l.Storage);
                    break;
                case Gather g:
                    At(where, g.At, defined);
                    Storage(where, g.Type, g.Storage);
                    Index(where, g.Type, g.Index, defined);
                    if (g.Mask is not null) Use(where, g.Mask, defined);
                    break;
                case Compute c:
                    if (c.A is not null) Use(where, c.A, defined);
                    if (c.B is not null) Use(where, c.B, defined);
                    if (c.C is not null) Use(where, c.C, defined);
                    int operands = c.A is null ? 0 : c.B is null ? 1 : c.C is null ? 2 : 3;
                    Require(operands == Operands(c.Op), where, $"{c.Op} takes {Operands(c.Op)} operands");
                    Require(Fits(c), where, $"{c.Op} does not take {string.Join(", ", new[] { c.A, c.B, c.C }
                        .OfType<Reg>().Select(r => r.Type))} and give {c.Type}");
                    Require(c.Op is not (VecOp.Scalef or VecOp.Getexp or VecOp.Getmant or VecOp.RecipEstimate or VecOp.Fraction
                        or VecOp.ToUpperBrain or VecOp.LowHalves or VecOp.UpperHalves) || function.Isa == Isa.Avx512, where,
                        $"{c.Op} exists on avx512 alone");
                    break;
            }
        }

        static int Operands(VecOp op) => op switch
        {
            VecOp.Iota => 0,
            VecOp.Fma or VecOp.Select => 3,
            >= VecOp.Add and <= VecOp.Shr or >= VecOp.Eq and <= VecOp.Ge or VecOp.Concat or VecOp.Scalef or VecOp.LowHalves
                or VecOp.UpperHalves or VecOp.PowCall => 2,
            _ => 1,
        };

        static bool Fits(Compute c)
        {
            VecType t = c.Type, a = c.A?.Type ?? t;
            bool same = a == t && (c.B is null || c.B.Type == t) && (c.C is null || c.C.Type == t);
            return c.Op switch
            {
                VecOp.Copy => same,
                VecOp.Neg or VecOp.Add or VecOp.Sub or VecOp.Mul or VecOp.Div or VecOp.Min or VecOp.Max or VecOp.FloorMod
                    => same && !t.IsMask,
                VecOp.Abs => same && !t.IsMask && !t.IsScalar,
                VecOp.Sqrt or VecOp.Rsqrt or VecOp.Recip or VecOp.Floor or VecOp.Ceil or VecOp.Round or VecOp.Trunc or VecOp.Fma
                    or VecOp.MinFast or VecOp.MaxFast or VecOp.Scalef or VecOp.Getexp or VecOp.Getmant
                    or VecOp.SinCall or VecOp.CosCall or VecOp.ErfCall => same && t.IsFloat,
                VecOp.RecipEstimate or VecOp.Fraction => same && t.Elem == Elem.F32 && !t.IsScalar,
                VecOp.ToUpperBrain => a.Elem == Elem.F32 && t == new VecType(Elem.I32, 16) && a == t.With(Elem.F32),
                VecOp.LowHalves or VecOp.UpperHalves => same && t == new VecType(Elem.I32, 16),
                VecOp.PowCall => same && !t.IsMask && !t.IsScalar,
                VecOp.ToHalfBits or VecOp.ToBrainBits => a.Elem == Elem.F32 && t == a.With(Elem.I32),
                VecOp.FromHalfBits or VecOp.FromBrainBits => !a.IsScalar && a.Elem == Elem.I32 && t == a.With(Elem.F32),
                VecOp.Not or VecOp.And or VecOp.Or or VecOp.Xor => same && !t.IsFloat,
                VecOp.Rem or VecOp.FloorDiv or VecOp.Shl or VecOp.Sar or VecOp.Shr => same && t.IsInteger,
                VecOp.ShlBy or VecOp.SarBy or VecOp.ShrBy
                    => same && t.IsInteger && !t.IsScalar && c.Immediate >= 0 && c.Immediate < t.ElemBytes * 8,
                >= VecOp.Eq and <= VecOp.Ge => c.B!.Type == a && !a.IsMask && t == (a.IsScalar ? a : a.Mask),
                VecOp.Select => a == t.Mask && c.B!.Type == t && c.C!.Type == t && !t.IsScalar,
                VecOp.Convert => !t.IsScalar && a.Lanes == t.Lanes && a.IsMask == t.IsMask,
                VecOp.Bitcast => !t.IsScalar && a.Lanes == t.Lanes && a.ElemBytes == t.ElemBytes,
                VecOp.Broadcast => a.Lanes == 1 && t.WithLanes(1) == a,
                VecOp.Splat => a.IsScalar && t.IsInteger && !t.IsScalar,
                VecOp.ToScalar => t.IsScalar && a.Lanes == 1 && !a.IsFloat,
                VecOp.Any or VecOp.All => t.IsScalar && a.IsMask,
                VecOp.Lower or VecOp.Upper => a == t.WithLanes(t.Lanes * 2) && !t.IsScalar,
                VecOp.Concat => a == c.B!.Type && t == a.WithLanes(a.Lanes * 2) && !a.IsScalar,
                VecOp.Iota => t.IsInteger && !t.IsScalar,
                _ => false,
            };
        }

        void Memory(Instruction where, VecType type, DType storage, Reg? mask, HashSet<int> defined)
        {
            Storage(where, type, storage);
            if (mask is null) return;
            Mask(where, type, mask, defined);
            Require(CanMask(function.Isa, type, storage), where,
                $"{function.Isa.Name} has no masked access of {type.Lanes} elements of {storage.Name}");
        }

        void Storage(Instruction where, VecType type, DType storage)
        {
            Width(where, type);
            if (type.IsScalar)
                Require(storage.IsInteger || storage == DType.Bool, where, "a scalar lies in memory as an integer");
            else Require(type.Elem == VecType.ElemOf(storage), where,
                $"{storage.Name} in memory is {VecType.ElemOf(storage)} in registers");
        }

        void Mask(Instruction where, VecType type, Reg mask, HashSet<int> defined)
        {
            Use(where, mask, defined);
            Require(mask.Type == type.Mask && !type.IsScalar, where, $"the mask of {type} is {type.Mask}, not {mask.Type}");
        }

        void Index(Instruction where, VecType type, Reg index, HashSet<int> defined)
        {
            Use(where, index, defined);
            Require(index.Type.IsInteger && !index.Type.IsScalar && index.Type.Lanes == type.Lanes, where,
                $"the indices of {type} are as many integers, not {index.Type}");
        }

        void At(Instruction where, Address at, HashSet<int> defined)
        {
            Scalar(where, at.Pointer, defined);
            if (at.Offset is not null) Scalar(where, at.Offset, defined);
        }

        void Scalar(Instruction where, Reg reg, HashSet<int> defined)
        {
            Use(where, reg, defined);
            Require(reg.Type.IsScalar, where, $"{reg} must be a scalar, not {reg.Type}");
        }

        void Use(Instruction where, Reg reg, HashSet<int> defined) =>
            Require(defined.Contains(reg.Id), where, $"{reg} has no value here");

        void Width(Instruction where, VecType type) =>
            Require(type.Lanes is 0 or 1 or 2 or 4 or 8 or 16 && type.Bits <= 512, where, $"no register holds {type}");

        static bool Assigns(IReadOnlyList<Instruction> body, Reg reg) => body.Any(i => i switch
        {
            Set set => set.Target.Id == reg.Id,
            Call call => call.Result?.Id == reg.Id,
            Loop loop => loop.Counter.Id == reg.Id || Assigns(loop.Body, reg),
            If branch => Assigns(branch.Then, reg) || Assigns(branch.Else, reg),
            _ => false,
        });

        void Require(bool holds, Instruction where, [InterpolatedStringHandlerArgument(nameof(holds))] Problem problem)
        {
            if (!holds) Fail(where, problem.Text);
        }

        void Require(bool holds, Instruction where, string problem)
        {
            if (!holds) Fail(where, problem);
        }

        void Fail(Instruction where, string problem) => throw new KernelException("ASH0550",
            $"the Vec function '{function.Name}' is not well formed: {problem}, in '{VecText.Line(where)}'.",
            "print the function and correct the code that built this instruction.");
    }

    /// <summary>Text that is put together only where a check fails.</summary>
    [InterpolatedStringHandler]
    ref struct Problem
    {
        DefaultInterpolatedStringHandler text;

        public Problem(int literalLength, int formattedCount, bool holds, out bool wanted)
        {
            wanted = !holds;
            text = wanted ? new(literalLength, formattedCount) : default;
        }

        public string Text => text.ToStringAndClear();

        public void AppendLiteral(string value) => text.AppendLiteral(value);

        public void AppendFormatted<T>(T value) => text.AppendFormatted(value);
    }
}
