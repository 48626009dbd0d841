using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Ashlar.Backends.Cpu;

/// <summary>A fixed set of threads that run one body together: fork, work, join.</summary>
/// <remarks>
/// How this works. The caller is worker 0. Every other worker owns a <see cref="Slot"/>: the caller writes the job there and
/// counts <see cref="Slot.Posted"/> up; the worker runs it and sets <see cref="Slot.Finished"/> to the same number. Both sides
/// wait by spinning for a bounded time, then by parking on a semaphore (<see cref="Waiting"/>), so a fork and join of running
/// threads costs about 0.2 us, and threads without work cost nothing. No call allocates.
///
/// Calls from several user threads take turns, so a body always sees every worker and its result never depends on what else
/// the process does. A call from inside a body runs inline, as a set of one worker.
/// </remarks>
sealed unsafe class Workers : IDisposable
{
    /// <summary>More threads than any machine Ashlar is made for has processors.</summary>
    public const int Most = 1024;

    static readonly Lazy<Workers> shared = new(() => new(CountFrom(AshlarEnvironment.Threads.Value, Environment.ProcessorCount)));

    [ThreadStatic] static bool isInside;           // this thread runs a body now

    /// <summary>What the caller and one worker tell each other; each side writes its own pair of cache lines.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    struct Slot
    {
        [FieldOffset(0)] public int Posted;
        [FieldOffset(4)] public int Workers;
        [FieldOffset(8)] public delegate*<void*, int, int, void> Body;
        [FieldOffset(16)] public void* State;
        [FieldOffset(128)] public int Finished;
        [FieldOffset(132)] public int Parked;      // 1 while the owner sleeps or is about to; slot 0's owner is the caller
    }

    /// <summary>Where the workers of one call meet; what all write and what all watch lie in different lines.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 512)]
    struct Meeting
    {
        [FieldOffset(0)] public int Arrived;       // workers that wait in Sync
        [FieldOffset(128)] public int Phase;       // how often Sync has let all through
        [FieldOffset(132)] public int Failed;      // 1 once a body of this call threw
        [FieldOffset(256)] public int Turn;        // 0: nobody calls; 1: a thread does; 2: and others may wait for it to end
    }

    readonly SemaphoreSlim nextTurn = new(0);
    readonly Slot* slots;
    readonly Meeting* meeting;                     // lies behind the slots
    readonly SemaphoreSlim[] wakeUps;              // index 0 wakes the caller
    readonly Waiting[] waitings;                   // index 0: the caller waits for the others
    readonly Exception?[] failures;
    readonly Thread[] threads;

    Action<int, int>? action;                      // the body of a call that came with a delegate
    bool isStopping;

    /// <summary>The workers of this process: as many as ASHLAR_THREADS says, or one per processor.</summary>
    /// <exception cref="DeviceException">ASHLAR_THREADS is no number from 1 to 1024.</exception>
    public static Workers Shared => shared.Value;

    /// <summary>How many there are, the caller included.</summary>
    public int Count { get; }

    /// <summary>Starts <paramref name="count"/> - 1 threads; they end with the process, or with <see cref="Dispose"/>.</summary>
    public Workers(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Most);
        Count = count;
        nuint bytes = (nuint)(count * sizeof(Slot) + sizeof(Meeting));
        slots = (Slot*)NativeMemory.AlignedAlloc(bytes, 256);
        NativeMemory.Clear(slots, bytes);
        meeting = (Meeting*)(slots + count);
        wakeUps = [.. Enumerable.Range(0, count).Select(_ => new SemaphoreSlim(0))];
        waitings = [.. Enumerable.Range(0, count).Select(_ => new Waiting())];
        failures = new Exception?[count];
        threads = new Thread[count - 1];
        for (int worker = 1; worker < count; worker++)
        {
            int mine = worker;
            threads[worker - 1] = new Thread(() => Work(mine)) { IsBackground = true, Name = $"ashlar worker {mine}" };
            threads[worker - 1].UnsafeStart();
        }
    }

    /// <summary>Runs <c>body(state, worker, workers)</c> on every worker at once and returns when all have.</summary>
    /// <param name="body">Must not keep the state beyond its return. Its exceptions reach the caller, the lowest worker's
    /// first.</param>
    /// <param name="state">Passed on as it is; it may lie on the caller's stack.</param>
    public void Run(delegate*<void*, int, int, void> body, void* state) => Run(Count, body, state);

    /// <summary>The same on the first <paramref name="workers"/> only; more than <see cref="Count"/> means all.</summary>
    public void Run(int workers, delegate*<void*, int, int, void> body, void* state)
    {
        if (isInside)
        {
            body(state, 0, 1);
            return;
        }
        EnterTurn();
        try { RunInTurn(Math.Clamp(workers, 1, Count), body, state); }
        finally { LeaveTurn(); }
    }

    /// <summary>Runs <c>body(worker, workers)</c> on every worker at once; free of allocation if the delegate is kept.</summary>
    public void Run(Action<int, int> body) => Run(Count, body);

    /// <summary>The same on the first <paramref name="workers"/> only; more than <see cref="Count"/> means all.</summary>
    public void Run(int workers, Action<int, int> body)
    {
        if (isInside)
        {
            body(0, 1);
            return;
        }
        EnterTurn();
        try
        {
            action = body;
            RunInTurn(Math.Clamp(workers, 1, Count), null, null);
        }
        finally
        {
            action = null;
            LeaveTurn();
        }
    }

    /// <summary>Waits inside a body until every worker of this call has come here.</summary>
    /// <param name="workers">The number that the body was given.</param>
    /// <remarks>What a worker wrote before, every worker sees after. If another worker's body throws, this throws too.</remarks>
    public void Sync(int workers)
    {
        if (workers == 1) return;
        int mine = Volatile.Read(ref meeting->Phase);
        if (Interlocked.Increment(ref meeting->Arrived) == workers)
        {
            meeting->Arrived = 0;
            Volatile.Write(ref meeting->Phase, mine + 1);
            return;
        }
        for (int spins = 0; Volatile.Read(ref meeting->Phase) == mine; spins++)
        {
            if (Volatile.Read(ref meeting->Failed) != 0) throw new SyncBrokenException();
            if (spins < 256) Waiting.Pause();
            else Thread.Yield();                   // whom we wait for may need this very processor
        }
    }

    // A mutex of three states (Drepper, "Futexes are tricky", 2005) in memory of its own: a Lock object may come to lie beside
    // what the workers read, and then every call pays two more trips between caches.
    void EnterTurn()
    {
        ObjectDisposedException.ThrowIf(isStopping, this);
        if (Interlocked.CompareExchange(ref meeting->Turn, 1, 0) == 0) return;
        while (Interlocked.Exchange(ref meeting->Turn, 2) != 0) nextTurn.Wait();
    }

    void LeaveTurn()
    {
        if (Interlocked.Exchange(ref meeting->Turn, 0) == 2) nextTurn.Release();
    }

    void RunInTurn(int workers, delegate*<void*, int, int, void> body, void* state)
    {
        isInside = true;
        for (int worker = 1; worker < workers; worker++)
        {
            Slot* slot = slots + worker;
            slot->Body = body;
            slot->State = state;
            slot->Workers = workers;
            Volatile.Write(ref slot->Posted, slot->Posted + 1);
            Wake(worker);
        }
        Invoke(0, workers, body, state);
        for (int worker = 1; worker < workers; worker++)
        {
            Slot* slot = slots + worker;
            if (Volatile.Read(ref slot->Finished) != slot->Posted) Wait(0, &slot->Finished, slot->Posted - 1);
        }
        isInside = false;
        if (meeting->Failed != 0) Rethrow();
    }

    void Work(int worker)
    {
        isInside = true;
        Slot* slot = slots + worker;
        for (int seen = 0; ; seen++)
        {
            Wait(worker, &slot->Posted, seen);
            if (isStopping) return;
            Invoke(worker, slot->Workers, slot->Body, slot->State);
            Volatile.Write(ref slot->Finished, seen + 1);
            Wake(0);
        }
    }

    void Invoke(int worker, int workers, delegate*<void*, int, int, void> body, void* state)
    {
        try
        {
            if (body != null) body(state, worker, workers);
            else action!(worker, workers);
        }
        catch (Exception failure)
        {
            failures[worker] = failure;
            Volatile.Write(ref meeting->Failed, 1);
        }
    }

    void Wait(int owner, int* number, int old)
    {
        if (waitings[owner].Spin(number, old)) return;
        long parkedAt = Waiting.Now;
        bool isInterrupted = false;
        Slot* slot = slots + owner;
        while (Volatile.Read(ref *number) == old)
        {
            Volatile.Write(ref slot->Parked, 1);
            Interlocked.MemoryBarrierProcessWide();            // see Wake
            if (Volatile.Read(ref *number) != old && Interlocked.Exchange(ref slot->Parked, 0) == 1) break;
            try { wakeUps[owner].Wait(); }                     // whoever took Parked back to 0 has released or will
            catch (ThreadInterruptedException) { isInterrupted = true; }
        }
        if (isInterrupted) Thread.CurrentThread.Interrupt();   // workers still used the caller's stack: only now may it leave
        waitings[owner].Learn(Waiting.Now - parkedAt);
    }

    /// <summary>Wakes the owner of a slot if it parks; the number it waits for was written just before.</summary>
    /// <remarks>
    /// Between that write and the read of Parked there must be a fence, or both sides could miss each other. It would cost
    /// every call a trip between two caches, so the one who parks puts it here for us, by a process-wide barrier: it is slow,
    /// but whoever parks has time.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    void Wake(int owner)
    {
        if (Volatile.Read(ref slots[owner].Parked) != 0 && Interlocked.Exchange(ref slots[owner].Parked, 0) == 1)
            wakeUps[owner].Release();
    }

    void Rethrow()
    {
        Exception? first = failures.FirstOrDefault(failure => failure is not (null or SyncBrokenException));
        Array.Clear(failures);
        meeting->Failed = 0;
        meeting->Arrived = 0;
        ExceptionDispatchInfo.Throw(first!);
    }

    /// <summary>Ends the threads. Calls that come later are refused.</summary>
    public void Dispose()
    {
        if (isStopping) return;
        EnterTurn();
        isStopping = true;
        for (int worker = 1; worker < Count; worker++)
        {
            Volatile.Write(ref slots[worker].Posted, slots[worker].Posted + 1);
            Wake(worker);
        }
        foreach (var thread in threads) thread.Join();
        foreach (var wakeUp in wakeUps) wakeUp.Dispose();
        NativeMemory.AlignedFree(slots);
    }

    /// <summary>The number of threads that a value of ASHLAR_THREADS asks for.</summary>
    internal static int CountFrom(string? value, int processors)
    {
        if (value is null) return Math.Min(processors, Most);
        if (int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count is >= 1 and <= Most)
            return count;
        throw new DeviceException("ASH0602",
            $"{AshlarEnvironment.Threads.Name} is '{value}', which is no number from 1 to {Most}.",
            $"set it to a number of threads, or unset it to take one per processor ({processors} here).");
    }

    /// <summary>Tells a worker in <see cref="Sync"/> that another's body threw; never leaves <see cref="Workers"/>.</summary>
    sealed class SyncBrokenException : Exception;
}
