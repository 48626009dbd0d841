namespace Ashlar.Graph;

/// <summary>A kernel of the operator library whose inside is each backend's own: what it computes is said here, by its reference
/// value.</summary>
/// <remarks>
/// For work whose data layout is half of its speed, such as attention over a paged cache, and which no tile program describes. A
/// backend knows these by their types.
/// </remarks>
public abstract class BackendKernel : GraphKernel
{
    /// <summary>True where the backend may be given one memory for an input and a result: the kernel reads an element before it
    /// is overwritten.</summary>
    /// <param name="input">Which input.</param>
    /// <param name="output">Which result, of the same type.</param>
    public virtual bool MayOverwrite(int input, int output) => false;
}
