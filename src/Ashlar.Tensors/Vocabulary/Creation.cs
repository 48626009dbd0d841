using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ashlar;

/// <summary>Tensors from data, and tensors of a pattern.</summary>
public static class Creation
{
    extension(Tensor)
    {
        /// <summary>A tensor of a copy of these elements: arrays, spans and collection expressions.</summary>
        /// <param name="elements">In row-major order.</param>
        /// <param name="shape">Null makes one axis of them all.</param>
        /// <example><c>Tensor.From([1f, 2f, 3f, 4f], [2, 2])</c></example>
        /// <exception cref="ShapeException">The shape has not as many elements.</exception>
        public static Tensor From<T>(ReadOnlySpan<T> elements, Shape? shape = null) where T : unmanaged =>
            new(Buffers.Of(elements), DTypes.Of<T>(), Fitting(elements.Length, shape));

        /// <summary>A tensor of a copy of a matrix.</summary>
        public static Tensor From<T>(T[,] elements) where T : unmanaged => FromArray<T>(elements);

        /// <summary>A tensor of a copy of an array of three axes.</summary>
        public static Tensor From<T>(T[,,] elements) where T : unmanaged => FromArray<T>(elements);

        /// <summary>A tensor of a copy of an array of four axes.</summary>
        public static Tensor From<T>(T[,,,] elements) where T : unmanaged => FromArray<T>(elements);

        /// <summary>A matrix of a copy of rows of equal length.</summary>
        /// <exception cref="ShapeException">The rows differ in length.</exception>
        public static Tensor From<T>(T[][] rows) where T : unmanaged
        {
            int width = rows.Length == 0 ? 0 : rows[0].Length;
            for (int row = 0; row < rows.Length; row++)
                if (rows[row].Length != width)
                    throw new ShapeException("ASH0148",
                        $"row {row} has {rows[row].Length} elements, but row 0 has {width}.",
                        "pad the rows to one length; a tensor has no ragged axes.");
            return Tensor.From<T>(rows.SelectMany(row => row).ToArray(), [rows.Length, width]);
        }

        /// <summary>A tensor over memory of the caller without a copy where the memory is aligned to 64 bytes, of a copy
        /// otherwise.</summary>
        /// <param name="memory">Must not change while the tensor is in use. It stays pinned until then.</param>
        /// <param name="shape">Null makes one axis of it all.</param>
        /// <remarks>Memory-mapped files and native memory are aligned; most managed arrays are not.</remarks>
        public static Tensor FromMemory<T>(ReadOnlyMemory<T> memory, Shape? shape = null) where T : unmanaged =>
            new(Buffers.Of(memory), DTypes.Of<T>(), Fitting(memory.Length, shape));

        /// <summary>A scalar that is data, not part of the program: another number does not compile again.</summary>
        public static Tensor Of<T>(T number) where T : unmanaged => Tensor.From<T>(new(in number), Shape.Scalar);

        /// <summary>A tensor of one number.</summary>
        /// <param name="shape">The extents.</param>
        /// <param name="value">A number, or a scalar tensor.</param>
        /// <param name="dtype">Null takes float32 for a number with a fraction, int32 for a whole one, a tensor's own.</param>
        public static Tensor Full(Shape shape, Operand value, DType? dtype = null) =>
            new(value.ToNode("Full", dtype ?? value.DType, shape));

        /// <summary>A tensor of zeros.</summary>
        public static Tensor Zeros(Shape shape, DType dtype) => new(Nodes.Constant(0L, dtype, shape));

        /// <summary>A float32 tensor of zeros.</summary>
        public static Tensor Zeros(params ReadOnlySpan<Extent> shape) => Tensor.Zeros(Shape.Create(shape), DType.Float32);

        /// <summary>A tensor of ones.</summary>
        public static Tensor Ones(Shape shape, DType dtype) => new(Nodes.Constant(1L, dtype, shape));

        /// <summary>A float32 tensor of ones.</summary>
        public static Tensor Ones(params ReadOnlySpan<Extent> shape) => Tensor.Ones(Shape.Create(shape), DType.Float32);

        /// <summary>The identity matrix.</summary>
        /// <param name="rows">How many rows.</param>
        /// <param name="columns">How many columns; null: as many as rows.</param>
        /// <param name="dtype">The element type.</param>
        /// <returns>[rows, columns]</returns>
        public static Tensor Eye(Extent rows, Extent? columns = null, DType dtype = DType.Float32)
        {
            Shape shape = [rows, columns ?? rows];
            return new(Nodes.Cast(Nodes.Binary(Op.Equal, Nodes.Iota(0, DType.Int32, shape), Nodes.Iota(1, DType.Int32, shape)),
                dtype));
        }

        /// <summary>0, 1, 2, ... below <paramref name="count"/>.</summary>
        /// <returns>[count]</returns>
        public static Tensor Arange(Extent count, DType dtype = DType.Int32) => new(Nodes.Iota(0, dtype, [count]));

        /// <summary>From <paramref name="start"/> up to, not including, <paramref name="stop"/>, in whole steps.</summary>
        /// <returns>int32 where all numbers fit, else int64.</returns>
        /// <exception cref="ShapeException">ASH0146: the step is 0, or there are more numbers than an axis can have.</exception>
        public static Tensor Arange(long start, long stop, long step = 1)
        {
            if (step == 0) throw new ShapeException("ASH0146",
                $"Arange from {start} to {stop} was given the step 0.", "use another step.");
            var span = step > 0 ? (Int128)stop - start : (Int128)start - stop;   // 64 bits hold neither the span nor -step
            var stride = Int128.Abs(step);
            var counted = span <= 0 ? 0 : (span + stride - 1) / stride;
            if (counted > long.MaxValue) throw new ShapeException("ASH0146",
                $"Arange from {start} to {stop} in steps of {step} has {counted} numbers, more than an axis can have.",
                "use a longer step.");
            long count = (long)counted;
            bool narrow = start == (int)start && stop == (int)stop && step == (int)step;
            return Progression(start, step, count, narrow ? DType.Int32 : DType.Int64);
        }

        /// <summary>From <paramref name="start"/> up to, not including, <paramref name="stop"/>.</summary>
        /// <returns>float32, [ceil((stop - start) / step)]</returns>
        public static Tensor Arange(double start, double stop, double step = 1)
        {
            double count = Math.Ceiling((stop - start) / step);
            if (!double.IsFinite(count)) throw new ShapeException("ASH0146",
                $"Arange from {start} to {stop} in steps of {step} has no end.", "use finite bounds and a step other than 0.");
            return Progression(start, step, (long)Math.Max(0, count), DType.Float64).Cast(DType.Float32);
        }

        /// <summary>Powers whose exponents are evenly spaced, both ends included.</summary>
        /// <param name="start">The first exponent.</param>
        /// <param name="stop">The last exponent.</param>
        /// <param name="count">How many.</param>
        /// <param name="radix">What is raised to the exponents; above 0.</param>
        /// <returns>float32, [count]</returns>
        /// <exception cref="RangeException">ASH0185: the radix is not above 0.</exception>
        public static Tensor Logspace(double start, double stop, long count, double radix = 10)
        {
            if (radix is not (> 0 and < double.PositiveInfinity)) throw new RangeException("ASH0185",
                $"Logspace was given the radix {radix}.", "use a number above 0, such as 10 or 2.");
            double step = count > 1 ? (stop - start) / (count - 1) : 0;
            return (Progression(start, step, count, DType.Float64) * Math.Log(radix)).Exp().Cast(DType.Float32);
        }

        /// <summary>Evenly spaced numbers, both ends included.</summary>
        /// <returns>float32, [count]</returns>
        public static Tensor Linspace(double start, double stop, long count) =>
            Progression(start, count > 1 ? (stop - start) / (count - 1) : 0, count, DType.Float64).Cast(DType.Float32);

        /// <summary>The index of each element along one axis.</summary>
        public static Tensor Iota(Shape shape, int axis, DType dtype = DType.Int32) =>
            new(Nodes.Iota(shape.Axis(axis), dtype, shape));
    }

    extension(Tensor x)
    {
        /// <summary>Zeros of the shape and element type of this tensor.</summary>
        public Tensor ZerosLike() => new(x.Node.Like(0));

        /// <summary>Ones of the shape and element type of this tensor.</summary>
        public Tensor OnesLike() => new(x.Node.Like(1));

        /// <summary>One number in the shape and element type of this tensor.</summary>
        public Tensor FullLike(Operand value) => new(value.ToNode("FullLike", x.DType, x.Shape));

        /// <summary>The lower triangle of the last two axes; zeros above diagonal <paramref name="diagonal"/>.</summary>
        /// <param name="diagonal">0 is the main one; positive ones lie above it.</param>
        public Tensor Tril(long diagonal = 0) => Triangle(x, diagonal, lower: true);

        /// <summary>The upper triangle of the last two axes; zeros below diagonal <paramref name="diagonal"/>.</summary>
        /// <param name="diagonal">0 is the main one; positive ones lie above it.</param>
        public Tensor Triu(long diagonal = 0) => Triangle(x, diagonal, lower: false);

        /// <summary>1 where the last axis has the index that an element names, 0 elsewhere.</summary>
        /// <param name="classes">The extent of the new last axis. An element outside it makes a row of zeros.</param>
        /// <param name="dtype">The element type of the result.</param>
        /// <returns>[..., classes]</returns>
        public Tensor OneHot(Extent classes, DType dtype = DType.Float32)
        {
            if (!x.DType.IsInteger) throw new DTypeException("ASH0205",
                $"OneHot needs integers, but got {x.Type}.", "cast the classes to i32.");
            var shape = x.Shape.Insert(x.Rank, classes);
            var index = Nodes.Broadcast(Nodes.Reshape(x.Node, x.Shape.Insert(x.Rank, 1)), shape);
            return new(Nodes.Cast(Nodes.Binary(Op.Equal, index, Nodes.Iota(x.Rank, x.DType, shape)), dtype));
        }
    }

    static Tensor Progression(Operand start, Operand step, long count, DType dtype)
    {
        Shape shape = [count];
        return new(Nodes.Iota(0, dtype, shape) * step.ToNode("Arange", dtype, shape) + start.ToNode("Arange", dtype, shape));
    }

    static Tensor Triangle(Tensor x, long diagonal, bool lower)
    {
        if (x.Rank < 2) throw new ShapeException("ASH0105",
            $"a triangle needs at least 2 axes, but got {x.Type}.", "reshape it to a matrix.");
        var row = Nodes.Iota(x.Rank - 2, DType.Int64, x.Shape) + diagonal;
        var column = Nodes.Iota(x.Rank - 1, DType.Int64, x.Shape);
        var keep = lower ? Nodes.Binary(Op.LessEqual, column, row) : Nodes.Binary(Op.LessEqual, row, column);
        return new(Nodes.Select(keep, x.Node, x.Node.Like(0)));
    }

    static Tensor FromArray<T>(Array elements) where T : unmanaged
    {
        var all = MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, T>(ref MemoryMarshal.GetArrayDataReference(elements)),
            elements.Length);
        return Tensor.From(all, Shape.Of(Enumerable.Range(0, elements.Rank).Select(axis => (Extent)elements.GetLength(axis))));
    }

    static Shape Fitting(int elements, Shape? shape)
    {
        if (shape is null) return [elements];
        if (!shape.IsConstant || shape.Elements != elements)
            throw new ShapeException("ASH0149",
                $"{elements} elements cannot fill {shape}, which has {shape.Elements}.",
                "give a shape whose extents multiply to the number of elements.");
        return shape;
    }
}
