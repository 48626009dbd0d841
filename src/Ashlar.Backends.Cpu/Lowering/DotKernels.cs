using Ashlar.Backends.Cpu.Vec;

namespace Ashlar.Backends.Cpu.Lowering;

/// <summary>Products of small matrices, <c>target += left right</c>, for generated code to call: blocks in registers, compiled
/// when first needed.</summary>
/// <remarks>
/// A block of the target stays in registers while the inner index runs: one vector load of the right serves every row of the
/// block, one
/// broadcast of the left every vector. Rows that do not fill a block take a function of exactly their number.
/// </remarks>
internal static unsafe class DotKernels
{
    static readonly Families families = new();

    /// <summary>The number of the functions for these types and strides.</summary>
    /// <param name="isa">The path.</param>
    /// <param name="dtype">Of all three arrays: f32, f64 or i32.</param>
    /// <param name="leftRow">Bytes from one row of the left to the next.</param>
    /// <param name="leftInner">Bytes from one inner index of the left to the next.</param>
    public static int Family(Isa isa, DType dtype, long leftRow, long leftInner) =>
        families.Number(new(isa, dtype, leftRow, leftInner));

    /// <summary><c>target[i, j] += sum over k of left[i, k] * right[k, j]</c>; right and target are contiguous along j.</summary>
    /// <param name="left">The first element; its strides are the family's.</param>
    /// <param name="right">The first element.</param>
    /// <param name="rightStride">Bytes from one k to the next.</param>
    /// <param name="target">The first element.</param>
    /// <param name="targetStride">Bytes from one i to the next.</param>
    /// <param name="rows">How many i.</param>
    /// <param name="columns">How many j.</param>
    /// <param name="inner">How many k.</param>
    /// <param name="family">From <see cref="Family"/>.</param>
    public static void Multiply(nint left, nint right, long rightStride, nint target, long targetStride, long rows, long columns,
        long inner, long family)
    {
        if (rows <= 0 || columns <= 0 || inner <= 0) return;
        var functions = families[(int)family];
        var (height, block, rest) = functions.For(rows, columns);
        nint* buffers = stackalloc nint[] { left, right, target };
        long* sizes = stackalloc long[] { rightStride, targetStride, columns, inner };
        long blocks = rows / height;
        block(buffers, sizes, 0, blocks, null);
        if (rest is null) return;
        buffers[0] += (nint)(blocks * height * functions.Form.LeftRow);
        buffers[2] += (nint)(blocks * height * targetStride);
        rest(buffers, sizes, 0, 1, null);
    }

    sealed class Families
    {
        readonly Lock gate = new();
        readonly Dictionary<DotForm, int> numbers = [];
        DotFunctions[] all = [];

        public DotFunctions this[int number] => Volatile.Read(ref all)[number];

        public int Number(DotForm form)
        {
            lock (gate)
            {
                if (numbers.TryGetValue(form, out int number)) return number;
                Volatile.Write(ref all, [.. all, new(form)]);
                return numbers[form] = all.Length - 1;
            }
        }
    }
}

/// <summary>What a function that multiplies is made for; strides in bytes.</summary>
internal readonly record struct DotForm(Isa Isa, DType DType, long LeftRow, long LeftInner);

/// <summary>The functions of one form.</summary>
internal sealed class DotFunctions(DotForm form)
{
    readonly Lock gate = new();
    readonly Dictionary<(int Height, int Width), KernelEntry> compiled = [];
    readonly Dictionary<(long Rows, long Columns), Choice> choices = [];
    Choice? last;

    public DotForm Form => form;

    /// <summary>The function for most rows, and the one for those that are left.</summary>
    public sealed record Choice(long Rows, long Columns, int Height, KernelEntry Block, KernelEntry? Rest)
    {
        public void Deconstruct(out int height, out KernelEntry block, out KernelEntry? rest) =>
            (height, block, rest) = (Height, Block, Rest);
    }

    int Lanes => form.Isa.VectorBytes / form.DType.Bytes;

    public Choice For(long rows, long columns)
    {
        var latest = Volatile.Read(ref last);
        if (latest is not null && latest.Rows == rows && latest.Columns == columns) return latest;
        lock (gate)
        {
            if (!choices.TryGetValue((rows, columns), out var choice))
            {
                if (choices.Count > 4096) choices.Clear();   // ragged tiles of many lengths
                var (height, width) = BlockOf(rows, (columns + Lanes - 1) / Lanes);
                int rest = (int)(rows % height);
                choices[(rows, columns)] = choice = new(rows, columns, height, Compiled(height, width),
                    rest == 0 ? null : Compiled(rest, width));
            }
            Volatile.Write(ref last, choice);
            return choice;
        }
    }

    // Rows and vectors of a block: sums, one row of right vectors and one broadcast must fit into the registers. With less than
    // twelve sums
    // the additions wait for each other; the rest of the rows is such a case.
    (int Height, int Width) BlockOf(long rows, long vectors)
    {
        var (best, most) = ((1, 1), double.NegativeInfinity);
        for (int width = 1; width <= Math.Min(4, vectors); width++)
            for (int height = (int)Math.Min((form.Isa.VectorRegisters - 1 - width) / width, rows); height >= 1; height--)
            {
                double sums = height * width, rest = rows % height * width, inRest = rows % height / (double)rows,
                    unused = vectors % width / (double)vectors;
                double speed = (1 - inRest) * Math.Min(1, sums / 12) + inRest * Math.Min(1, rest / 12);
                double score = speed - 0.3 * unused - 0.15 * (height + width) / sums;
                if (score > most) (best, most) = ((height, width), score);
            }
        return best;
    }

    KernelEntry Compiled(int height, int width)
    {
        if (!compiled.TryGetValue((height, width), out var entry)) compiled[(height,
            width)] = entry = VecCompiler.Compile<KernelEntry>(Write(height, width));
        return entry;
    }

    // Begin and end count blocks of rows.
    VecFunction Write(int height, int width)
    {
        var f = VecBuilder.Kernel($"dot_{form.DType.Name}_{height}x{width}", form.Isa);
        Reg left = f.Buffer(0), right = f.Buffer(1), target = f.Buffer(2), rightStride = f.Size(0), targetStride = f.Size(1),
            columns = f.Size(2), inner = f.Size(3);
        int bytes = form.DType.Bytes, lanes = Lanes;
        var vector = VecType.Of(form.DType, lanes);
        bool canMask = VecVerifier.CanMask(form.Isa, vector, form.DType);
        f.Loop(f.Begin, f.End, 1, block =>
        {
            Reg from = left + block * (height * form.LeftRow), to = target + block * height * targetStride;
            var whole = columns - f.Binary(VecOp.FloorMod, columns, f.Const(lanes * width));
            f.Loop(f.Const(0), whole, lanes * width, column => Block(from, to, column, width, vector, null), "j");
            if (canMask) f.Loop(whole, columns, lanes,
                column => Block(from, to, column, 1, vector, f.FirstLanes(vector.Mask, columns - column)), "j");
            else f.Loop(whole, columns, 1, column => Block(from, to, column, 1, VecType.Of(form.DType, 1), null), "j");
        }, "i");
        return f.Build();

        void Block(Reg from, Reg to, Reg column, int vectors, VecType type, Reg? mask)
        {
            var sums = new Reg[height, vectors];
            for (int r = 0; r < height; r++)
                for (int v = 0; v < vectors; v++) sums[r, v] = f.Var(f.ConstBits(type, 0), "sum");
            Reg begin = column * bytes, by = right + begin;
            int step = type.Lanes * bytes;
            f.Loop(f.Const(0), inner, 1, k =>
            {
                Reg offset = k * rightStride, at = k * form.LeftInner;
                var rights = new Reg[vectors];
                for (int v = 0; v < vectors; v++) rights[v] = f.Load(type, form.DType, VecBuilder.At(by, offset, v * step), mask);
                for (int r = 0; r < height; r++)
                {
                    var place = VecBuilder.At(from, at, r * form.LeftRow);
                    var one = type.Lanes == 1 ? f.Load(type, form.DType, place) : f.LoadSplat(type, form.DType, place);
                    for (int v = 0; v < vectors; v++)
                        f.Assign(sums[r, v], type.IsFloat ? f.Fma(one, rights[v], sums[r, v]) : sums[r, v] + one * rights[v]);
                }
            }, "k");
            for (int r = 0; r < height; r++)
            {
                var row = r == 0 ? to : to + targetStride * r;
                for (int v = 0; v < vectors; v++)
                {
                    var place = VecBuilder.At(row, begin, v * step);
                    f.Store(place, form.DType, f.Load(type, form.DType, place, mask) + sums[r, v], mask);
                }
            }
        }
    }
}
