using System.Runtime.ExceptionServices;

namespace Ashlar.Backends.Cpu;

/// <summary>Runs independent pieces of compilation on several threads.</summary>
/// <remarks>On the runtime's pool, not on <see cref="Workers"/>: RyuJIT may wait, and pieces differ widely in length.</remarks>
static class Compiling
{
    /// <summary>Does all pieces and returns when they are done.</summary>
    /// <exception cref="AshlarException">A piece failed; of several failures that of the lowest number.</exception>
    public static void Each(int pieces, int threads, Action<int> compile)
    {
        var failures = new ExceptionDispatchInfo?[pieces];
        Parallel.For(0, pieces, new() { MaxDegreeOfParallelism = threads }, i =>
        {
            try
            {
                compile(i);
            }
            catch (AshlarException failure)
            {
                failures[i] = ExceptionDispatchInfo.Capture(failure);
            }
        });
        Array.Find(failures, failure => failure is not null)?.Throw();
    }
}
