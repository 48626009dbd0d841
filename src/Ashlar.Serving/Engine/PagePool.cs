namespace Ashlar.Serving;

/// <summary>Which pages of the cache are free.</summary>
/// <remarks>Not thread-safe: its engine's step owns it.</remarks>
sealed class PagePool
{
    readonly Stack<int> free;

    /// <summary>So many pages, all free.</summary>
    public PagePool(int pages) => free = new(Enumerable.Range(0, pages).Reverse());

    /// <summary>How many are free.</summary>
    public int Free => free.Count;

    /// <summary>Takes a page.</summary>
    public bool TryTake(out int page) => free.TryPop(out page);

    /// <summary>Gives a page back.</summary>
    public void Return(int page) => free.Push(page);
}
