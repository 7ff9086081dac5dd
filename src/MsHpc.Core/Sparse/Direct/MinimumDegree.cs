namespace MsHpc.Core.Sparse;

/// <summary>
/// Approximate minimum degree on a quotient graph: element absorption (also aggressive), mass elimination, supervariables by hashing and
/// the approximate external degree of Amestoy, Davis and Duff, SIAM J. Matrix Anal. Appl. 17 (1996) 886. Halo vertices take part in
/// degrees but are never eliminated, so the boundary of a dissected leaf is seen at its true cost.
/// </summary>
internal sealed class MinimumDegree
{
    private const int Dead = 0, Variable = 1, Element = 2;

    private readonly int _n;
    private readonly int[] _at, _length, _elements, _weight, _degree, _elementDegree;
    private readonly byte[] _state;
    private readonly bool[] _halo;
    private readonly int[] _head, _next, _previous, _nextMember, _lastMember;
    private readonly int[] _mark, _stamp, _hashHead, _hashNext;
    private readonly uint[] _hash;
    private int[] _list;
    private int _end;

    private MinimumDegree(int n, ReadOnlySpan<int> start, ReadOnlySpan<int> adjacent, ReadOnlySpan<int> weight, ReadOnlySpan<bool> halo)
    {
        _n = n;
        _at = start[..n].ToArray();
        _length = new int[n];
        _elements = new int[n];
        _weight = weight[..n].ToArray();
        _degree = new int[n];
        _elementDegree = new int[n];
        _state = new byte[n];
        _halo = halo.IsEmpty ? new bool[n] : halo[..n].ToArray();
        _next = new int[n];
        _previous = new int[n];
        _nextMember = new int[n];
        _lastMember = new int[n];
        _mark = new int[n];
        _stamp = new int[n];
        _hashHead = new int[n];
        _hashNext = new int[n];
        _hash = new uint[n];
        _end = start[n];
        _list = new int[2 * _end + n + 16];
        adjacent[.._end].CopyTo(_list);
        int total = 0;
        for (int i = 0; i < n; i++)
        {
            total += _weight[i];
            _length[i] = start[i + 1] - start[i];
            _state[i] = Variable;
            _nextMember[i] = -1;
            _lastMember[i] = i;
        }
        _head = new int[total + 1];
        Array.Fill(_head, -1);
        Array.Fill(_hashHead, -1);
    }

    /// <summary>Elimination order of the vertices that are not halo.</summary>
    public static List<int> Order(int n, ReadOnlySpan<int> start, ReadOnlySpan<int> adjacent, ReadOnlySpan<int> weight, ReadOnlySpan<bool> halo)
        => new MinimumDegree(n, start, adjacent, weight, halo).Run();

    private void Insert(int i, int degree)
    {
        _previous[i] = -1;
        _next[i] = _head[degree];
        if (_next[i] >= 0) _previous[_next[i]] = i;
        _head[degree] = i;
    }

    private void Remove(int i)
    {
        if (_previous[i] >= 0) _next[_previous[i]] = _next[i];
        else _head[_degree[i]] = _next[i];
        if (_next[i] >= 0) _previous[_next[i]] = _previous[i];
    }

    private void Merge(int into, int gone)
    {
        _nextMember[_lastMember[into]] = gone;
        _lastMember[into] = _lastMember[gone];
        _state[gone] = Dead;
    }

    private List<int> Run()
    {
        var order = new List<int>(_n);
        int left = 0, remaining = 0;
        for (int i = 0; i < _n; i++)
        {
            remaining += _weight[i];
            int degree = 0;
            for (int k = _at[i]; k < _at[i] + _length[i]; k++) degree += _weight[_list[k]];
            _degree[i] = degree;
            if (_halo[i]) continue;
            left += _weight[i];
            Insert(i, degree);
        }

        var scratch = new List<int>();
        int minimum = 0, flag = 1, stamp = 0;
        while (left > 0)
        {
            while (_head[minimum] < 0) minimum++;
            int p = _head[minimum];
            Remove(p);

            // The new element: neighbours of p, directly or through an element that it absorbs.
            stamp++;
            _stamp[p] = stamp;
            int need = _end + _n;
            if (need > _list.Length) Array.Resize(ref _list, Math.Max(need, _list.Length + _list.Length / 2));
            int begin = _end;
            for (int k = 0; k < _length[p]; k++)
            {
                int e = _list[_at[p] + k];
                if (k < _elements[p])
                {
                    if (_state[e] != Element) continue;
                    for (int q = _at[e]; q < _at[e] + _length[e]; q++) Take(_list[q]);
                    _state[e] = Dead;
                }
                else Take(e);
            }
            _state[p] = Element;
            int pivotWeight = _weight[p];

            // External degrees of the elements around: mark[e] − flag = weight of e outside the new element.
            for (int q = begin; q < _end; q++)
            {
                int i = _list[q];
                for (int k = _at[i]; k < _at[i] + _elements[i]; k++)
                {
                    int e = _list[k];
                    if (_state[e] != Element) continue;
                    _mark[e] = (_mark[e] >= flag ? _mark[e] : _elementDegree[e] + flag) - _weight[i];
                }
            }

            for (int q = begin; q < _end; q++)
            {
                int i = _list[q];
                scratch.Clear();
                scratch.Add(p);
                int degree = 0;
                uint hash = (uint)p;
                int at = _at[i];
                for (int k = at; k < at + _elements[i]; k++)
                {
                    int e = _list[k];
                    if (_state[e] != Element) continue;
                    int outside = _mark[e] - flag;
                    if (outside <= 0) { _state[e] = Dead; continue; }
                    degree += outside;
                    scratch.Add(e);
                    hash += (uint)e;
                }
                int elements = scratch.Count;
                for (int k = at + _elements[i]; k < at + _length[i]; k++)
                {
                    int j = _list[k];
                    if (_state[j] != Variable || _stamp[j] == stamp) continue;
                    degree += _weight[j];
                    scratch.Add(j);
                    hash += (uint)j;
                }
                if (degree == 0 && !_halo[i])
                {
                    pivotWeight += _weight[i];
                    Merge(p, i);
                    continue;
                }
                scratch.CopyTo(_list, at);
                _elements[i] = elements;
                _length[i] = scratch.Count;
                _degree[i] = Math.Min(_degree[i], degree);
                _hash[i] = hash;
            }

            // Supervariables: same elements, same neighbours.
            for (int q = begin; q < _end; q++)
            {
                int i = _list[q];
                if (_state[i] != Variable) continue;
                int slot = (int)(_hash[i] % (uint)_n);
                bool gone = false;
                for (int j = _hashHead[slot]; j >= 0; j = _hashNext[j])
                {
                    if (!Same(i, j)) continue;
                    _weight[j] += _weight[i];
                    Merge(j, i);
                    gone = true;
                    break;
                }
                if (gone) continue;
                _hashNext[i] = _hashHead[slot];
                _hashHead[slot] = i;
            }

            left -= pivotWeight;
            remaining -= pivotWeight;
            int elementDegree = 0, kept = begin;
            for (int q = begin; q < _end; q++)
            {
                int i = _list[q];
                _hashHead[(int)(_hash[i] % (uint)_n)] = -1;
                if (_state[i] != Variable) continue;
                elementDegree += _weight[i];
                _list[kept++] = i;
            }
            _end = kept;
            for (int q = begin; q < _end; q++)
            {
                int i = _list[q];
                int degree = Math.Max(0, Math.Min(_degree[i] + elementDegree - _weight[i], remaining - _weight[i]));
                _degree[i] = degree;
                if (_halo[i]) continue;
                Insert(i, degree);
                minimum = Math.Min(minimum, degree);
            }
            _at[p] = begin;
            _length[p] = _end - begin;
            _elementDegree[p] = elementDegree;
            if (_length[p] == 0) _state[p] = Dead;
            if (flag > int.MaxValue / 2) { Array.Clear(_mark); flag = 1; }
            flag += _head.Length + 1;
            for (int i = p; i >= 0; i = _nextMember[i]) order.Add(i);

            void Take(int i)
            {
                if (_state[i] != Variable || _stamp[i] == stamp) return;
                _stamp[i] = stamp;
                if (!_halo[i]) Remove(i);
                _list[_end++] = i;
            }
        }
        return order;
    }

    private bool Same(int i, int j)
    {
        if (_hash[i] != _hash[j] || _length[i] != _length[j] || _elements[i] != _elements[j] || _halo[i] != _halo[j]) return false;
        // Lists are short and keep their relative order only by chance: count the members of one in the other.
        int length = _length[i];
        for (int k = 0; k < length; k++)
        {
            int x = _list[_at[i] + k];
            bool found = false;
            for (int l = 0; l < length && !found; l++) found = _list[_at[j] + l] == x;
            if (!found) return false;
        }
        return true;
    }
}
