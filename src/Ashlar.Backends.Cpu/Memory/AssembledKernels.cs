using Iced.Intel;

namespace Ashlar.Backends.Cpu;

/// <summary>Kernels by number, each assembled once and kept for good. For any number of threads.</summary>
/// <param name="count">How many numbers there are.</param>
sealed class AssembledKernels(int count)
{
    readonly ExecutableMemory?[] kernels = new ExecutableMemory?[count];
    readonly Lock assembling = new();

    /// <summary>The kernel of this number; null before it is assembled.</summary>
    public ExecutableMemory? Find(int index) => Volatile.Read(ref kernels[index]);

    /// <summary>Assembles a kernel, unless somebody did so meanwhile.</summary>
    /// <exception cref="DeviceException">The system grants no executable memory (ASH0603).</exception>
    public ExecutableMemory Keep(int index, Func<Assembler> write)
    {
        lock (assembling)
        {
            if (kernels[index] is { } already) return already;
            var made = ExecutableMemory.Of(write());
            Volatile.Write(ref kernels[index], made);
            return made;
        }
    }
}
