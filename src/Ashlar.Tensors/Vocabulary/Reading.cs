using System.Buffers;
using System.Runtime.CompilerServices;

namespace Ashlar;

/// <summary>From tensors to numbers: computing, copying out, looking without a copy.</summary>
public static class Reading
{
    extension(Tensor)
    {
        /// <summary>Computes several tensors as one program; what they share is computed once.</summary>
        public static void Realize(params ReadOnlySpan<Tensor> tensors)
        {
            foreach (var tensor in tensors) Trace.ForbidReading(tensor);
            State.RealizeWith(tensors);
        }
    }

    extension(Tensor x)
    {
        /// <summary>Computes the value now and keeps it; gradients still flow through what it was made of.</summary>
        /// <returns>This tensor.</returns>
        public Tensor Realize()
        {
            x.Memory();
            return x;
        }

        /// <summary>The value as data: computed now, its history forgotten. No gradient flows through it.</summary>
        public Tensor Detach() => new(x.Memory(), x.DType, x.Shape);

        /// <summary>The elements in row-major order, copied.</summary>
        /// <typeparam name="T">The .NET type of the element type: float for float32, long for int64.</typeparam>
        /// <exception cref="DTypeException">The elements are of another type.</exception>
        /// <exception cref="TraceException">A function is being traced.</exception>
        public T[] ToArray<T>() where T : unmanaged => x.Read((ReadOnlySpan<T> elements) => elements.ToArray());

        /// <summary>Looks at the elements where they lie, without a copy; the memory is held until <paramref name="look"/>
        /// returns.</summary>
        /// <param name="look">Gets the elements in row-major order.</param>
        /// <example><c>float greatest = x.Read((ReadOnlySpan&lt;float&gt; elements) =>
        /// TensorPrimitives.Max(elements))</c></example>
        public TResult Read<T, TResult>(Func<ReadOnlySpan<T>, TResult> look) where T : unmanaged
        {
            Check<T>(x);
            var memory = x.Memory();
            var result = look(memory.Span<T>(x.Shape.Elements.Value));
            GC.KeepAlive(memory);   // nothing else holds the memory of a temporary while its span is in use
            return result;
        }

        /// <summary>The elements of a matrix, copied.</summary>
        public T[,] ToArray2D<T>() where T : unmanaged
        {
            if (x.Rank != 2) throw new ShapeException("ASH0105",
                $"ToArray2D needs 2 axes, but got {x.Type}.", "reshape it first, or use ToArray.");
            var result = new T[x.Shape[0].Value, x.Shape[1].Value];
            x.AsSpan<T>().CopyTo(System.Runtime.InteropServices.MemoryMarshal.CreateSpan(
                ref Unsafe.As<byte, T>(ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(result)),
                result.Length));
            GC.KeepAlive(x);
            return result;
        }

        /// <summary>Copies the elements, in row-major order, to memory of the caller.</summary>
        /// <exception cref="ShapeException">There is not enough room.</exception>
        public void CopyTo<T>(Span<T> target) where T : unmanaged
        {
            var source = x.AsSpan<T>();
            if (target.Length < source.Length)
                throw new ShapeException("ASH0140",
                    $"{x.Type} has {source.Length} elements, but the target has room for {target.Length}.",
                    "pass a span at least as long.");
            source.CopyTo(target);
            GC.KeepAlive(x);
        }

        /// <summary>The elements where they lie, without a copy.</summary>
        /// <remarks>
        /// A span does not hold the memory. It goes back to the pool when nobody refers to the tensor, so keep the tensor until
        /// after the last use of the span: <c>GC.KeepAlive(tensor)</c>. <c>Read</c> does that by itself.
        /// </remarks>
        public ReadOnlySpan<T> AsSpan<T>() where T : unmanaged
        {
            Check<T>(x);
            var memory = x.Memory();
            return memory.Span<T>(x.Shape.Elements.Value);
        }

        /// <summary>The elements where they lie, without a copy; the memory is held for as long as the result is, or is
        /// pinned.</summary>
        public ReadOnlyMemory<T> AsMemory<T>() where T : unmanaged
        {
            Check<T>(x);
            return new Elements<T>(x.Memory(), x.Shape.Elements.Value).Memory;
        }

        /// <summary>The only element, converted to a .NET type by value.</summary>
        /// <exception cref="ShapeException">There are more elements, or none.</exception>
        public T Item<T>() where T : unmanaged
        {
            Trace.ForbidReading(x);
            if (x.Shape.Elements != 1)
                throw new ShapeException("ASH0150",
                    $"Item needs a single element, but {x.Type} has {x.Shape.Elements}.",
                    "index or reduce it to one, or use ToArray.");
            var memory = x.Memory();
            var dtype = DTypes.Of<T>();
            double value = 0;
            if (dtype != x.DType)
            {
                Storage.Load(memory, x.DType, 0, new(ref value));
                memory = HostBuffer.Allocate(sizeof(double));
                Storage.Store([dtype.IsFloat ? value : Math.Truncate(value)], dtype, memory);
            }
            T item = memory.Span<T>(1)[0];
            GC.KeepAlive(memory);
            return item;
        }
    }

    static void Check<T>(Tensor x) where T : unmanaged
    {
        var asked = DTypes.Of<T>();
        if (asked != x.DType)
            throw new DTypeException("ASH0222",
                $"{x.Type} was read as {typeof(T).Name}, which holds {asked.Name}.",
                $"read it as its own type, or convert it first: x.Cast(DType.{asked}).");
    }

    sealed unsafe class Elements<T>(Buffer buffer, long count) : MemoryManager<T> where T : unmanaged
    {
        public override Span<T> GetSpan() => buffer.Span<T>(count);

        public override MemoryHandle Pin(int elementIndex = 0)
        {
            var handle = System.Runtime.InteropServices.GCHandle.Alloc(buffer);   // keeps the buffer until Unpin
            return new((T*)buffer.Address + elementIndex, handle, this);
        }

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
