using Ashlar.Backends.Cpu.Attention;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Programs;

/// <summary>What this backend runs for the kernels of the operator library.</summary>
static class Libraries
{
    /// <summary>The code of a library kernel.</summary>
    /// <exception cref="KernelException">ASH0561: there is none.</exception>
    public static CpuKernel Kernel(BackendKernel kernel, Isa isa, bool usesTiles) => kernel switch
    {
        PagedAttention attention => new PagedAttentionKernel(attention, isa, usesTiles),
        _ => throw new KernelException("ASH0561", $"the CPU has no code for the library kernel '{kernel.Name}'.",
            "write it in the kernel language instead: Kernel.Define(...)."),
    };
}
